// Before anything is drawn: light or dark as this browser was told, otherwise as its system has it. The one script that
// is no module, since modules run only after the first drawing.
document.documentElement.dataset.theme = localStorage.getItem("matinee-theme") ?? "auto";
