"use strict";
document.body.classList.add("js");

const order = (head, column, first) => {
  const table = head.closest("table");
  const other = first === "descending" ? "ascending" : "descending";
  const way = head.getAttribute("aria-sort") === first ? other : first;
  for (const one of head.parentElement.cells) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", way);
  const sign = way === "ascending" ? 1 : -1;
  const keyed = [...table.tBodies].map((body) => [body.rows[0].cells[column].dataset.value ?? "", body]);
  const isNumber = column > 0;
  keyed.sort(([one], [other]) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    return sign * (isNumber ? Number(one) - Number(other) : one.localeCompare(other));
  });
  table.append(...keyed.map(([, body]) => body));
};

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => order(head, column, head.dataset.first));
  });
}

const open = (body, isOpen) => {
  body.classList.toggle("open", isOpen);
  body.querySelector("button.folds")?.setAttribute("aria-expanded", String(isOpen));
};

for (const button of document.querySelectorAll("button.folds")) {
  button.addEventListener("click", () => {
    const body = button.closest("tbody");
    open(body, !body.classList.contains("open"));
  });
}

for (const button of document.querySelectorAll("button.all")) {
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOpen));
    for (const body of document.getElementById(button.getAttribute("aria-controls")).tBodies) open(body, isOpen);
  });
}
