/* The review by keyboard: 1 to 5 rate, S skips, U undoes. Without this file the buttons do the same. */
const keys = document.getElementById("review-keys");
keys.checked = localStorage.getItem("review-keys") !== "off";
keys.addEventListener("change", () => localStorage.setItem("review-keys", keys.checked ? "on" : "off"));

document.addEventListener("keydown", event => {
  const typing = event.target.closest("input:not([type=radio], [type=checkbox]), select, textarea");
  if (!keys.checked || typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const review = document.getElementById("review");
  // A second key before the answer to the first one would mean the next card.
  if (review.classList.contains("htmx-request") || review.querySelector(".htmx-request")) return;
  const key = event.key.toLowerCase();
  const form = review.querySelector({s: ".skip", u: ".undo-line"}[key] ?? ".rating");
  if (!form || !("su".includes(key) || "12345".includes(key))) return;
  event.preventDefault();
  if ("12345".includes(key)) form.querySelector(`[value="${key}.0"]`).checked = true;
  form.requestSubmit();
});
