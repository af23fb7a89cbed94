// This book was built where npm was not found, so it is text.
document.addEventListener("DOMContentLoaded", () => {
  const note = document.createElement("p");
  note.className = "dosim-without-npm";
  note.textContent = "Built without npm: formulas and diagrams are shown as source text, and no program runs in the page.";
  (document.querySelector("article.bd-article") || document.body).prepend(note);
});
