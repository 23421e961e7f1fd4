// Runs in the editor's page, before its own scripts: what the editor shows, and what it draws.
window.prelabelDrawn = (() => {
  const seen = { state: "", since: 0 };
  const find = (pk, side = "predictions") =>
    window.Htx.annotationStore[side].find((shown) => String(shown.pk) === pk);

  function loaded(object) {
    if (object.type === "image") {
      const image = object.currentImageEntity;
      return image?.imageLoaded && image.naturalWidth === object.imageRef?.naturalWidth;
    }
    if (object.type === "audio") return object._ws?.duration > 0;
    if (object.type === "video") return hasLength(object);
    return object.isReady !== false;
  }

  const videos = () => [...document.querySelectorAll("video")];

  // Whether something has been so for some time since the task was opened.
  const lasting = { task: null, since: {} };
  function lasts(name, is, milliseconds = 3000) {
    const { task } = window.Htx;
    if (lasting.task !== task) Object.assign(lasting, { task, since: {} });
    const now = performance.now();
    const since = is ? (lasting.since[name] ?? now) : null;
    lasting.since[name] = since;
    return since !== null && now - since >= milliseconds;
  }

  // A <source> that cannot be played leaves no error at its <video>, which then has no source; so
  // has one for a moment before it loads.
  function isRefused() {
    return lasts("refused", videos().some(({ networkState }) => networkState === HTMLMediaElement.NETWORK_NO_SOURCE));
  }

  // For some that cannot be played, such as an .avi, the editor shows no <video>.
  const isLeftOut = () => lasts("none", !videos().length, 10000);

  // Until a video is loaded it has one frame, and the editor serialises its tracks with that. One
  // that keeps it has no more, or cannot be played.
  function hasLength({ length }) {
    const all = videos();
    const settled = all.length > 0 && all.every(({ error, readyState }) => error || readyState >= 2);
    return length > 1 || isRefused() || lasts("one frame", settled) || isLeftOut();
  }

  // Until its frames are there, nothing is drawn on a video.
  function playable(object) {
    if (object.type !== "video") return true;
    return object.length > 1 && videos().every(({ readyState }) => readyState >= 2);
  }

  // The results displayed, false for not yet, or what is wrong, in words. One call does both, so
  // that nothing is built anew in between.
  // Selects the prediction until it stays selected, as the editor builds its store more than once,
  // and waits for its media: until an image is loaded, the editor gives the raw result back,
  // whatever it is (createSerializedResult).
  function shown({ task, pks, pk, quiet, side, frames }) {
    const htx = window.Htx;
    if (!htx?.annotationStore || htx.isLoading || String(htx.task?.id) !== task) return false;
    if (!pks.every((other) => find(other, side))) return false;
    if (pk === null) return [];
    const prediction = find(pk, side);
    if (htx.annotationStore.selected !== prediction) {
      if (side === "annotations") htx.annotationStore.selectAnnotation(prediction.id);
      else htx.annotationStore.selectPrediction(prediction.id);
      return false;
    }
    const broken = frames && videos().find(({ error }) => error);
    if (broken) return `the browser cannot play the video: ${broken.error.message}`;
    const films = prediction.objects.filter(({ type }) => type === "video");
    if (frames && (isRefused() || (films.length > 0 && isLeftOut())))
      return "the browser cannot play the video: convert it to WebM";
    for (const object of prediction.objects) {
      const image = object.type === "image" ? object.currentImageEntity : null;
      if (image?.error) return `object ${object.name} is not loaded: ${image.src}`;
      if (!loaded(object) || (frames && !playable(object))) return false;
    }
    const state = JSON.stringify([prediction.id, prediction.serializeAnnotation()]);
    if (seen.state !== state) Object.assign(seen, { state, since: performance.now() });
    return performance.now() - seen.since >= quiet ? results(prediction) : false;
  }

  // serializeAnnotation(), except that it says what is displayed: an unknown label and a type that
  // is not the control tag's own are shown as nothing, and yet they are serialised as they came.
  function results(prediction) {
    const regions = prediction.results.map(displayed).filter(Boolean);
    return regions.concat(prediction.relationStore.serialize());
  }

  function displayed(result) {
    const serialized = result.serialize();
    if (!serialized) return null;
    const { isLoadedByApi, resultType, valueType } = result.from_name;
    const value = { ...serialized.value };
    if (Array.isArray(value[valueType]) && result.from_name.findLabel && !isLoadedByApi)
      value[valueType] = value[valueType].filter((label) => known(result.from_name, label));
    return JSON.parse(JSON.stringify({ ...serialized, type: resultType, value }));
  }

  // Choices are compared with their alias, or with the whole path if they are nested
  // (Choices.setResult); findLabel would find a nested one by no name at all.
  function known(control, label) {
    if (control.type !== "choices") return control.findLabel(label);
    const wanted = JSON.stringify(label);
    return control.tiedChildren.some((choice) => JSON.stringify(choice.resultValue) === wanted);
  }

  // The text under the highlight of each text region of the prediction that is shown, by its id.
  function highlights() {
    const found = {};
    for (const region of window.Htx.annotationStore.selected.regions)
      if (region._spans) found[region.cleanId] = text(region._spans);
    return found;
  }

  // The name and the colour of the label on each text region of the prediction that is shown, by its
  // id, as the page draws them: "Person" and "rgba(255, 0, 0, 0.3)". A label that the control tag
  // does not have leaves a region without a name.
  function labels() {
    const found = {};
    for (const region of window.Htx.annotationStore.selected.regions) {
      const [span] = region._spans ?? [];
      const [, name = ""] = span?.getAttribute("data-label")?.match(/:(.*)/s) ?? [];
      if (span) found[region.cleanId] = [name, getComputedStyle(span).backgroundColor];
    }
    return found;
  }

  // The names of the choices that are checked on the page.
  function checked() {
    return [...document.querySelectorAll(".lsf-choices input:checked")].map(({ name }) => name);
  }

  // What the editor complains of in the task's place, or of a medium; empty if nothing.
  function complaint() {
    const places = document.querySelectorAll(".lsf-errors, .lsf-error-message, .ant-alert-message");
    return [...places].map((place) => place.innerText.trim()).filter(Boolean).join("; ");
  }

  // What is drawn of each region of the prediction (or annotation) that is shown: its id, kind,
  // labels that its control tags have, colour, whether it is hidden, and where it is: in pixels of
  // the image, in characters, in seconds, in the series' own time.
  async function drawn() {
    const look = () => JSON.stringify(regions());
    const found = JSON.parse(await steady(look, 60));
    return found.some(isNowhere) ? JSON.parse(await steady(look, 1000, 20)) : found;
  }

  // Whether nothing is drawn of a region that is not hidden: on a busy machine it may come late.
  function isNowhere({ hidden, points, runs, text, span, bars }) {
    return !hidden && ([points, runs, text, span].includes(null) || bars?.length === 0);
  }

  function regions() {
    const { selected } = window.Htx.annotationStore;
    return selected.regions.map((region) => ({
      id: region.cleanId,
      size: region.parent?.imageRef ? naturalSize(region.parent) : null,
      kind: region.type,
      labels: shownLabels(region),
      colour: region.getOneColor?.() ?? null,
      hidden: Boolean(region.hidden),
      item: region.item_index ?? null,
      ...(PLACES[region.type]?.(region) ?? {}),
    }));
  }

  // The choices that are checked on the page, the items in each bucket of a Ranker, the numbers and
  // texts that stand in its fields.
  function answered() {
    const value = (field) => field.value;
    const all = (selector) => [...document.querySelectorAll(selector)];
    const { names } = window.Htx.annotationStore.selected;
    const controls = [...names.values()].filter(({ type }) => type === "choices");
    const shown = new Set(checked());
    return {
      chosen: Object.fromEntries(
        controls.map((control) => [
          control.name,
          control.tiedChildren.filter(({ sel, _value }) => sel && shown.has(_value)).map((c) => c.resultValue),
        ]),
      ),
      ranked: all("[data-rbd-droppable-id]").map((column) => [
        column.getAttribute("data-rbd-droppable-id"),
        [...column.querySelectorAll("[data-ranker-id]")].map((item) => item.getAttribute("data-ranker-id")),
      ]),
      stars: all(".ant-rate-star-full, .lsf-rating__star_filled").length,
      fields: all("input:not([type=checkbox]):not([type=radio]), textarea").map(value).filter(Boolean),
      texts: all("[data-testid^='textarea-region'], .lsf-text-area__region").map((at) => at.innerText),
    };
  }

  function shownLabels(region) {
    return region.results.flatMap(({ from_name: control, mainValue }) =>
      control.findLabel && control.type !== "choices" && Array.isArray(mainValue)
        ? mainValue.filter((label) => control.isLoadedByApi || control.findLabel(label))
        : [],
    );
  }

  const PLACES = {
    rectangleregion: (region) => ({ points: corners(region, "Rect") }),
    ellipseregion: (region) => ({ points: corners(region, "Ellipse") }),
    polygonregion: (region) => ({ points: vertices(region) }),
    keypointregion: (region) => ({ points: corners(region, "Circle") }),
    vectorregion: (region) => ({ points: vertices(region) }),
    brushregion: (region) => ({ runs: mask(region) }),
    bitmaskregion: (region) => ({ runs: mask(region) }),
    richtextregion: (region) => words(region),
    textrange: (region) => words(region),
    audioregion: (region) => ({ span: sound(region) }),
    timeseriesregion: (region) => ({ span: series(region) }),
    timelineregion: (region) => ({ bars: frameBars(region) }),
  };

  function nodes(region, kind) {
    const found = window.Konva.stages.flatMap((stage) => stage.find(kind));
    return found.filter((node) => {
      for (let at = node; at; at = at.getParent())
        if (at.name?.()?.split(" ").includes(region.id) || at.id?.() === region.cleanId) return true;
      return false;
    });
  }

  function naturalSize(image) {
    return [image.imageRef.naturalWidth, image.imageRef.naturalHeight];
  }

  // From the canvas to pixels of the image, whatever the zoom: the stage's own transform is not in.
  function inImage(region, node, points) {
    const image = region.parent;
    const [width, height] = naturalSize(image);
    const place = node.getAbsoluteTransform(node.getStage()).copy();
    return points.map((point) => {
      const { x, y } = place.point(point);
      return [(x / image.stageWidth) * width, (y / image.stageHeight) * height].map(thousandth);
    });
  }

  const thousandth = (number) => Math.round(number * 1000) / 1000;

  // Of a box its corners; of an ellipse the ends of its axes; of a key point its centre.
  function corners(region, kind) {
    const [node] = nodes(region, kind).filter((shape) => shape.isVisible());
    if (!node) return null;
    if (kind === "Circle") return inImage(region, node, [{ x: 0, y: 0 }]);
    const [x, y] = kind === "Rect" ? [node.width(), node.height()] : [node.radiusX(), node.radiusY()];
    const local = kind === "Rect" ? [[0, 0], [x, 0], [x, y], [0, y]] : [[x, 0], [0, y], [-x, 0], [0, -y]];
    return inImage(region, node, local.map(([left, top]) => ({ x: left, y: top })));
  }

  // Of a polygon the points of its line, of a vector those of its path's segments.
  function vertices(region) {
    const lines = nodes(region, "Line").filter((line) => line.isVisible() && line.points().length > 3);
    const line = lines.sort((one, other) => other.points().length - one.points().length)[0];
    if (line) {
      const flat = line.points();
      const points = flat.flatMap((x, at) => (at % 2 ? [] : [{ x, y: flat[at + 1] }]));
      return inImage(region, line, points);
    }
    const [path] = nodes(region, "Shape").concat(nodes(region, "Path")).filter((shape) => shape.isVisible());
    if (!path) return null;
    const { x, y, width, height } = path.getSelfRect();
    return inImage(region, path, [{ x, y }, { x: x + width, y: y + height }]);
  }

  // The lengths of the runs of pixels that a mask does not and does cover, in turn, row by row.
  function mask(region) {
    const image = region.parent;
    const [width, height] = naturalSize(image);
    const [node] = nodes(region, "Image").filter((shape) => shape.isVisible() && shape.image());
    if (!node) return null;
    const canvas = new OffscreenCanvas(width, height).getContext("2d");
    canvas.imageSmoothingEnabled = false;
    canvas.drawImage(node.image(), 0, 0, width, height);
    const { data } = canvas.getImageData(0, 0, width, height);
    const runs = [0];
    for (let at = 3; at < data.length; at += 4) {
      if ((data[at] > 127) !== (runs.length % 2 === 0)) runs.push(0);
      runs[runs.length - 1] += 1;
    }
    return runs;
  }

  // The characters that are highlighted, the name on them, and how many boxes the page draws.
  function words(region) {
    const spans = region._spans ?? [];
    const [, name = ""] = spans[0]?.getAttribute("data-label")?.match(/:(.*)/s) ?? [];
    const boxes = spans.flatMap((span) => [...span.getClientRects()]);
    return {
      text: spans.length ? text(spans) : null,
      name,
      boxes: boxes.filter(({ width, height }) => width > 0 && height > 0).length,
    };
  }

  // Where a region lies on the drawn wave form, in seconds.
  function sound(region) {
    const wave = region._ws_region;
    if (!wave) return null;
    const { visualizer } = wave;
    const seconds = (x) => ((x + visualizer.getScrollLeftPx()) / visualizer.fullWidth) * region.object._ws.duration;
    return [seconds(wave.xStart), seconds(wave.xEnd)].map(thousandth);
  }

  // Where a region lies on the overview of the series, in its own time.
  function series(region) {
    const places = [...document.querySelectorAll(".htx-timeseries-overview .region")];
    const place = places.find((rect) => rect.__data__?.id === region.id && rect.style.display !== "none");
    if (!place) return null;
    const whole = Number(place.ownerSVGElement.querySelector(".overlay").getAttribute("width"));
    const [first, last] = region.object.keysRange;
    const [left, size] = ["x", "width"].map((name) => Number(place.getAttribute(name)));
    const time = (x) => first + (x / whole) * (last - first);
    return [time(left), time(left + size), time(1) - first]; // and how long a pixel is
  }

  // The frames that the bars of a region on the timeline go over, as [first, last].
  function frameBars(region) {
    const rows = [...document.querySelectorAll(".lsf-keypoints")].filter(({ dataset }) => dataset.id === region.cleanId);
    return rows.flatMap((row) => {
      const frames = row.closest(".lsf-timeline-frames");
      const step = parseFloat(frames?.style.getPropertyValue("--frame-size"));
      return [...row.querySelectorAll(".lsf-keypoints__lifespan")].map(({ style }) => {
        const first = parseFloat(style.left) / step + 0.5;
        return [first, first + parseFloat(style.width) / step].map(thousandth);
      });
    });
  }

  // The video's size, and of each track the corners of its box on some frames, in pixels of the video;
  // null if it is not drawn there.
  async function tracks(frames) {
    const { selected } = window.Htx.annotationStore;
    const video = selected.objects.find(({ type }) => type === "video");
    const found = Object.fromEntries(selected.regions.map(({ cleanId }) => [cleanId, {}]));
    for (const frame of frames) {
      video.setFrame(frame);
      const look = () =>
        video.frame === frame
          ? JSON.stringify(selected.regions.map(({ id, cleanId }) => [cleanId, box(id)]))
          : null;
      for (const [id, place] of JSON.parse(await steady(look, 120))) found[id][frame] = place;
    }
    const [{ videoWidth, videoHeight }] = videos();
    return { size: [videoWidth, videoHeight], places: found };
  }

  function box(id) {
    const node = window.Konva.stages.flatMap((stage) => stage.find("Rect")).find((rect) => rect.id() === id);
    if (!node || Number.isNaN(node.rotation()) || !node.isVisible()) return null;
    const place = node.getTransform().copy();
    const [w, h] = [node.width(), node.height()];
    return [[0, 0], [w, 0], [w, h], [0, h]].map(([left, top]) => {
      const { x, y } = place.point({ x: left, y: top });
      return [x, y].map(thousandth);
    });
  }

  // The boxes of the prediction that is shown, as left, top, right, bottom in pixels of the image as
  // the browser turns it, and the colour that it shows in the middle of each.
  function boxes() {
    const prediction = window.Htx.annotationStore.selected;
    const image = prediction.objects.find((object) => object.type === "image").imageRef;
    const { naturalWidth: width, naturalHeight: height } = image;
    const canvas = new OffscreenCanvas(width, height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    const found = results(prediction).filter((result) => result.value.width !== undefined);
    const regions = found.map(({ id, value }) => {
      const [left, top] = [(value.x * width) / 100, (value.y * height) / 100];
      const box = [left, top, left + (value.width * width) / 100, top + (value.height * height) / 100];
      const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2].map(Math.floor);
      return { id, box, colour: [...canvas.getImageData(x, y, 1, 1).data].slice(0, 3) };
    });
    return { width, height, regions };
  }

  // What is drawn of the first region of the prediction that is shown, a track, by frame: where its
  // left edge is, in percent of the video's width; null if it is not drawn, or not there.
  async function track(frames) {
    const video = window.Htx.annotationStore.selected.objects.find(({ type }) => type === "video");
    const id = window.Htx.annotationStore.selected.regions[0].id;
    await steady(() => (playable(video) && window.Konva.stages.length ? "" : null));
    const found = {};
    for (const frame of frames) {
      video.setFrame(frame);
      found[frame] = JSON.parse(await steady(() => (video.frame === frame ? place(id) : null)));
    }
    return found;
  }

  function place(id) {
    const shapes = window.Konva.stages.flatMap((stage) => stage.find("Rect"));
    const box = shapes.find((shape) => shape.id() === id);
    const media = document.querySelector("video");
    const drawn = box && !Number.isNaN(box.rotation());
    return JSON.stringify(drawn ? Math.round((1000 * box.x()) / media.videoWidth) / 10 : null);
  }

  // The frames that the timeline's bars of the first region go over, as [first, last].
  async function bars() {
    const { selected } = window.Htx.annotationStore;
    const video = selected.objects.find(({ type }) => type === "video");
    return JSON.parse(await steady(() => {
      const found = frameBars(selected.regions[0]);
      const rounded = found.map((bar) => bar.map((frame) => Math.round(frame * 10) / 10));
      return video.length > 1 && found.length ? JSON.stringify(rounded) : null;
    }));
  }

  // What the editor says of the label config in the task's place, and the types of the regions.
  async function config() {
    const store = window.Htx.annotationStore;
    const found = await steady(() => {
      const errors = document.querySelectorAll(".lsf-errors");
      const text = [...errors].map((error) => error.innerText).join("\n");
      const said = store.validation?.length ? text : "";
      return JSON.stringify([said, store.predictions[0]?.regions.map(({ type }) => type) ?? []]);
    }, 300);
    return JSON.parse(found);
  }

  // What `look` says once it has said so for a while, in which the page was drawn some times, however
  // long that takes on a busy machine; null is nothing yet.
  async function steady(look, quiet = 120, pictures = 4) {
    let [last, since, drawn] = [null, 0, 0];
    for (const end = performance.now() + 60000; performance.now() < end; drawn += 1) {
      const now = look();
      if (now !== last) [last, since, drawn] = [now, performance.now(), 0];
      if (now !== null && drawn >= pictures && performance.now() - since > quiet) return now;
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    }
    throw new Error("the editor shows nothing that stays");
  }

  function text(spans) {
    return spans.map((span) => span.textContent).join("");
  }

  return {
    answered,
    bars,
    boxes,
    checked,
    complaint,
    config,
    drawn,
    highlights,
    labels,
    shown,
    track,
    tracks,
  };
})();
