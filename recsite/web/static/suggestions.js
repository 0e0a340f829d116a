/* Fills each list that names an address of suggestions: <ol data-suggestions="…">. */
for (const list of document.querySelectorAll("[data-suggestions]")) {
  fetch(list.dataset.suggestions)
    .then(response => response.ok ? response.json() : Promise.reject(new Error(`answer ${response.status}`)))
    .then(({suggestions}) => list.replaceChildren(...suggestions.map(movie => {
      const item = document.createElement("li");
      item.textContent = movie.title;
      return item;
    })))
    .catch(error => { list.textContent = `No suggestions now: ${error.message}`; });
}
