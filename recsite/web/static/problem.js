/* An error at the foot of a page stays until it is dismissed or the reader does something else. */
const problem = document.getElementById("problem");
const clear = () => problem.replaceChildren();

problem.nextElementSibling.addEventListener("click", clear);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
document.addEventListener("htmx:beforeRequest", (event) => {
  // Parts of a page that refresh themselves are no action of the reader.
  if (event.detail.requestConfig.verb !== "get") clear();
});
