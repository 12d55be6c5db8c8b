// Before anything is drawn: the theme that was chosen last, if the browser lets a file remember one.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("graphprune-theme"); } catch { /* a file may not remember */ }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  document.documentElement.classList.add("scripted");
})();
