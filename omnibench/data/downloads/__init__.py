"""Files from the network: resumed where they broke off, checked against their digests, published in one step."""
