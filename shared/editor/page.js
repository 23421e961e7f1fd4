// Runs in the editor's page: prelabelEditor.show(config, task) starts the editor with them.
(() => {
  const { loading, settings, initial } = JSON.parse(
    document.getElementById("editor-data").textContent,
  );
  window.APP_SETTINGS = settings;
  // A sandboxed frame has no storage, and may start no worker from an address.
  if (self.origin === "null") {
    for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { value: memoryStorage() });
    window.Worker = frameWorker(window.Worker);
  }

  // The editor adds a parameter to the address of sound, with which no data URL can be read.
  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, url, ...more) {
    const whole = /^data:/.test(url) ? url.replace(/\?lsref=1$/, "") : url;
    return open.call(this, method, whole, ...more);
  };

  function memoryStorage() {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(String(key)) ?? null,
      setItem: (key, value) => void kept.set(String(key), String(value)),
      removeItem: (key) => void kept.delete(String(key)),
      clear: () => kept.clear(),
      key: (index) => [...kept.keys()][index] ?? null,
      get length() {
        return kept.size;
      },
    };
  }

  function frameWorker(Native) {
    return class extends Native {
      constructor(url, options) {
        const script = `importScripts(${JSON.stringify(new URL(url, document.baseURI).href)})`;
        const local = /^(blob|data):/.test(url);
        super(local ? url : URL.createObjectURL(new Blob([script])), options);
      }
    };
  }

  // Loads the chunks of the editor, then its module, which sets window.LabelStudio.
  const editor = new Promise((resolve, reject) => {
    window.addEventListener("load", () => {
      const start = (load) =>
        Promise.all(loading.chunks.map((chunk) => load.e(chunk)))
          .then(() => load(loading.module))
          .then(() => resolve(window.LabelStudio), reject);
      (self[loading.name] ??= []).push([["prelabel"], {}, start]);
      setTimeout(() => reject(new Error("the editor's scripts were not loaded")), 60000);
    });
  });

  let shown = null;
  let errors = [];
  window.addEventListener("error", ({ message }) => errors.push(message));

  async function show(config, task) {
    const LabelStudio = await editor;
    shown?.destroy?.();
    errors = [];
    const root = document.createElement("div");
    root.id = "label-studio";
    document.getElementById("editor").replaceChildren(root);
    shown = new LabelStudio("label-studio", {
      config,
      task: { annotations: [], predictions: [], ...task },
      interfaces: loading.interfaces,
      user: { id: 1, pk: 1, firstName: "", lastName: "" },
      instanceOptions: { reactVersion: loading.react },
    });
  }

  // A page around this one, in which it is a frame, may send {show: {config, task}}, and is told
  // {ready: true} when it may, and {shown: true} or {failed: "why"} then.
  if (window.parent !== window) {
    const tell = (message) => window.parent.postMessage({ prelabel: message }, "*");
    window.addEventListener("message", ({ data, source }) => {
      if (source !== window.parent || !data?.show) return;
      show(data.show.config, data.show.task).then(
        () => tell({ shown: true }),
        (error) => tell({ failed: String(error) }),
      );
    });
    editor.then(
      () => tell({ ready: true }),
      (error) => tell({ failed: String(error) }),
    );
  }
  window.prelabelEditor = { editor, show, errors: () => errors };
  if (initial) show(initial.config, initial.task);
})();
