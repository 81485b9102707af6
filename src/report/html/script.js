// The page reads without this: it adds a button to each statement, and opens what is closed for older printers.
for (const block of document.querySelectorAll(".ddl")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", () => {
    const code = block.querySelector("code");
    const done = () => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    };
    const select = () => { getSelection().selectAllChildren(code); };
    navigator.clipboard ? navigator.clipboard.writeText(code.textContent).then(done, select) : select();
  });
  block.prepend(button);
}
addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details:not([open])")) closed.dataset.closed = closed.open = true;
});
addEventListener("afterprint", () => {
  for (const opened of document.querySelectorAll("details[data-closed]")) {
    opened.open = false;
    delete opened.dataset.closed;
  }
});
