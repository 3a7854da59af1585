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
  const names = keyed.map(([, body]) => body.rows[0].cells[0].dataset.value);
  for (const part of table.closest("section:not(.scroll)").querySelectorAll("table.sortable")) {
    if (part === table) continue;
    for (const one of part.tHead.rows[0].cells) one.removeAttribute("aria-sort");
    const bodies = new Map([...part.tBodies].map((body) => [body.rows[0].cells[0].dataset.value, body]));
    part.append(...names.map((name) => bodies.get(name)));
  }
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
    for (const name of button.getAttribute("aria-controls").split(" ")) {
      for (const body of document.getElementById(name).tBodies) open(body, isOpen);
    }
  });
}
