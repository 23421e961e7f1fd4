// What pages do beyond plain HTML: they stay up to date, and the playground predicts in place.
"use strict";
(() => {
  document.documentElement.classList.add("scripted");

  // A page's live part is fetched again while somebody looks at it.
  const live = document.getElementById("live");
  if (live) setInterval(() => refresh(live), Number(live.dataset.refresh) * 1000);

  async function refresh(part) {
    if (document.hidden || part.contains(document.activeElement)) return;
    const page = await fetchPage(location.href, { headers: { Accept: "text/html" } });
    const next = page?.getElementById("live");
    if (!next || next.innerHTML === part.innerHTML) return;
    const open = [...part.querySelectorAll("details[open]")].map(({ id }) => id);
    const across = [...part.querySelectorAll(".scroll")].map(({ scrollLeft }) => scrollLeft);
    part.replaceChildren(...next.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    part.querySelectorAll(".scroll").forEach((box, at) => (box.scrollLeft = across[at] ?? 0));
  }

  // The page at an address; nothing if the server cannot be reached: the next time may do.
  async function fetchPage(address, options) {
    try {
      const answer = await fetch(address, options);
      const kind = answer.headers.get("Content-Type") ?? "";
      if (!kind.startsWith("text/html")) return null;
      return new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      return null;
    }
  }

  // A form that takes its time says so; the answer is a new page.
  for (const form of document.querySelectorAll("form[data-busy]")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button");
      button.disabled = true;
      button.textContent = form.dataset.busy;
    });
  }

  const trial = document.getElementById("trial");
  if (!trial) return;
  const [data, predict] = ["data", "predict"].map((id) => document.getElementById(id));
  const complaint = document.getElementById("file-message");
  const editor = document.getElementById("editor-place");
  const most = Number(trial.dataset.maxBytes);

  document.getElementById("start").addEventListener("change", ({ target }) => target.form.submit());

  trial.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(trial));
    predict.disabled = true;
    predict.textContent = "Predicting…";
    const page = await fetchPage(location.href, {
      method: "POST",
      headers: { Accept: "text/html" },
      body,
    });
    predict.disabled = false;
    predict.textContent = "Predict";
    showResult(page?.getElementById("result"));
  });

  function showResult(result) {
    const old = document.getElementById("result");
    if (result) {
      old.replaceChildren(...result.childNodes);
    } else {
      old.replaceChildren(alertOf("The server did not answer. Is it still running?"));
    }
    showInEditor();
  }

  function alertOf(words) {
    const line = document.createElement("p");
    line.className = "problem";
    line.setAttribute("role", "alert");
    line.textContent = words;
    return line;
  }

  // Label Studio's editor in a frame without an origin: it is sent what it should show.
  let frame = null;
  let isReady = false;

  function showInEditor() {
    const shown = document.getElementById("shown");
    if (!editor || !shown) {
      if (frame) frame.hidden = true;
      return;
    }
    if (!frame) {
      frame = document.createElement("iframe");
      frame.title = "Label Studio's editor";
      frame.setAttribute("sandbox", "allow-scripts");
      frame.src = editor.dataset.frame;
      editor.append(frame);
    }
    frame.hidden = false;
    if (isReady) frame.contentWindow.postMessage({ show: JSON.parse(shown.textContent) }, "*");
  }

  window.addEventListener("message", ({ source, data: message }) => {
    const told = message?.prelabel;
    if (!frame || source !== frame.contentWindow || !told) return;
    const note = document.getElementById("editor-note");
    if (told.ready) {
      isReady = true;
      showInEditor();
    } else if (told.shown) {
      note.textContent = "This is Label Studio's own editor.";
      document.getElementById("drawing")?.setAttribute("hidden", "");
      frame.dataset.shown = String(Number(frame.dataset.shown ?? 0) + 1);
    } else if (told.failed) {
      frame.hidden = true;
      note.textContent = `Label Studio's editor did not show this (${told.failed}); a drawing of our own is below.`;
    }
  });

  // A file becomes a part of the data, where the label config shows something of its kind.
  function keyFor(isText) {
    const tags = isText ? "Text|HyperText" : "Image";
    const xml = document.getElementById("config").value;
    const tag = xml.match(new RegExp(`<(?:${tags})\\b[^>]*\\bvalue(?:List)?="\\$([\\w.]+)"`, "i"));
    return tag ? tag[1] : null;
  }

  function takeFile(file) {
    complaint.hidden = true;
    const isText = file.type.startsWith("text/");
    const key = keyFor(isText);
    if (!isText && !file.type.startsWith("image/")) {
      complain(`${file.name} is neither an image nor a text.`);
    } else if (file.size > most) {
      complain(`${file.name} has ${Math.ceil(file.size / 1e6)} MB; ${Math.floor(most / 1e6)} MB can be sent.`);
    } else if (!key) {
      complain(`The label config shows no ${isText ? "text" : "image"} in which ${file.name} could be.`);
    } else {
      const reader = new FileReader();
      reader.onload = () => {
        data.value = JSON.stringify({ ...currentData(), [key]: reader.result }, null, 2);
      };
      reader.onerror = () => complain(`${file.name} cannot be read.`);
      if (isText) reader.readAsText(file);
      else reader.readAsDataURL(file);
    }
  }

  function currentData() {
    try {
      const found = JSON.parse(data.value);
      const task = Array.isArray(found) ? found[0] : found;
      return task?.data ?? task ?? {};
    } catch {
      return {};
    }
  }

  function complain(words) {
    complaint.textContent = words;
    complaint.hidden = false;
  }

  document.getElementById("file").addEventListener("change", ({ target }) => {
    if (target.files.length) takeFile(target.files[0]);
    target.value = "";
  });
  data.addEventListener("dragover", (event) => {
    event.preventDefault();
    data.classList.add("over");
  });
  data.addEventListener("dragleave", () => data.classList.remove("over"));
  data.addEventListener("drop", (event) => {
    event.preventDefault();
    data.classList.remove("over");
    if (event.dataTransfer.files.length) takeFile(event.dataTransfer.files[0]);
  });
  showInEditor();
})();
