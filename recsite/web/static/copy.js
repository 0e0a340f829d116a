/* Gives each text in a .copyable a button that copies it. */
const announcement = document.getElementById("announcement");

for (const text of document.querySelectorAll(".copyable > pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet small";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${text.getAttribute("aria-label")}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      // Browsers have no clipboard for pages over plain HTTP.
      getSelection().selectAllChildren(text);
      document.execCommand("copy");
    }
    button.textContent = announcement.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; announcement.textContent = ""; }, 2000);
  });
  text.after(button);
}
