// Runs in the editor's page, before its own scripts.
window.e2e = (() => {
  const seen = { state: "", since: 0 };
  const find = (pk) =>
    window.Htx.annotationStore.predictions.find((prediction) => String(prediction.pk) === pk);

  function loaded(object) {
    if (object.type === "image") {
      const image = object.currentImageEntity;
      return image?.imageLoaded && image.naturalWidth === object.imageRef?.naturalWidth;
    }
    if (object.type === "audio") return object._ws?.duration > 0;
    return object.isReady !== false;
  }

  // The results displayed, false for not yet, or what is wrong, in words. One call does both, so
  // that nothing is built anew in between.
  // Selects the prediction until it stays selected, as the editor builds its store more than once,
  // and waits for its media: until an image is loaded, the editor gives the raw result back,
  // whatever it is (createSerializedResult).
  function shown({ task, pks, pk, quiet }) {
    const htx = window.Htx;
    if (!htx?.annotationStore || htx.isLoading || String(htx.task?.id) !== task) return false;
    if (!pks.every(find)) return false;
    if (pk === null) return [];
    const prediction = find(pk);
    if (htx.annotationStore.selected !== prediction) {
      htx.annotationStore.selectPrediction(prediction.id);
      return false;
    }
    for (const object of prediction.objects) {
      const image = object.type === "image" ? object.currentImageEntity : null;
      if (image?.error) return `object ${object.name} is not loaded: ${image.src}`;
      if (!loaded(object)) return false;
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

  function text(spans) {
    return spans.map((span) => span.textContent).join("");
  }

  return { boxes, checked, highlights, labels, shown };
})();
