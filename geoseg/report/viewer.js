(() => {
  const { slides, classes } = JSON.parse(document.getElementById("slides").textContent);
  const get = (id) => document.getElementById(id);
  const photo = get("photo"), mask = get("mask"), sheet = get("sheet"), stage = get("stage");
  const fade = get("fade"), film = get("film"), list = get("classes");
  const make = (tag, kind, text) => {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  let part = "", order = [], place = 0, labels = null, strength = 45;

  const colour = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const rows = classes.map((label, number) => {
    const item = make("li"), row = make("label"), box = make("input");
    box.type = "checkbox";
    box.checked = label.shown;
    box.addEventListener("change", paint);
    const square = make("span", "swatch");
    square.style.background = label.colour;
    const share = make("span", "share");
    row.append(box, square, make("span", "", label.name), share);
    if (number < 9) row.title = `Key ${number + 1}`;
    item.append(row);
    list.append(item);
    return { box, share, row };
  });

  // How much of the image each class covers; of what is labelled, as 255 is not.
  function count() {
    const found = new Array(256).fill(0);
    if (labels) for (let i = 0; i < labels.data.length; i += 4) found[labels.data[i]]++;
    const total = classes.reduce((sum, label) => sum + found[label.id], 0) || 1;
    classes.forEach((label, number) => {
      const share = (100 * found[label.id]) / total;
      rows[number].share.textContent = found[label.id] ? (share < 0.1 ? "< 0.1%" : `${share.toFixed(1)}%`) : "none";
      rows[number].row.classList.toggle("absent", !found[label.id]);
    });
  }

  function paint() {
    if (!labels) return;
    const table = new Uint32Array(256), view = new DataView(table.buffer);
    classes.forEach((label, number) => {
      if (rows[number].box.checked)
        [...colour(label.colour), 255].forEach((value, at) => view.setUint8(4 * label.id + at, value));
    });
    const drawn = new ImageData(labels.width, labels.height);
    const target = new Uint32Array(drawn.data.buffer);
    for (let i = 0; i < target.length; i++) target[i] = table[labels.data[4 * i]];
    mask.getContext("2d").putImageData(drawn, 0, 0);
  }

  // The largest size that fits the stage; small images grow, but not beyond four times.
  function fit() {
    const slide = slides[order[place]];
    if (!slide) return;
    const narrow = matchMedia("(max-width: 860px)").matches;
    const tall = narrow ? innerHeight * 0.7 : stage.clientHeight;
    const scale = Math.min(stage.clientWidth / slide.width, tall / slide.height, 4);
    sheet.style.width = `${Math.floor(slide.width * scale)}px`;
    sheet.style.height = `${Math.floor(slide.height * scale)}px`;
  }

  async function show(next) {
    place = Math.max(0, Math.min(order.length - 1, next));
    const slide = slides[order[place]];
    photo.src = slide.image;
    photo.alt = slide.name;
    get("name").textContent = slide.name;
    get("place").textContent = `${place + 1} of ${order.length}`;
    get("back").disabled = place === 0;
    get("next").disabled = place === order.length - 1;
    get("facts").replaceChildren(...slide.facts.flatMap(([what, value]) => [make("dt", "", what), make("dd", "", value)]));
    film.querySelectorAll("button").forEach((button, at) => {
      button.setAttribute("aria-current", at === order[place]);
      if (at === order[place]) film.scrollLeft = button.offsetLeft - (film.clientWidth - button.clientWidth) / 2;
    });
    fit();
    if (location.protocol !== "about:") history.replaceState(null, "", `#${order[place] + 1}`); // a frame has no address
    const image = new Image();
    image.src = slide.mask;
    await image.decode();
    if (slide !== slides[order[place]]) return; // the reader has gone on
    mask.width = image.width;
    mask.height = image.height;
    const drawing = document.createElement("canvas");
    drawing.width = image.width;
    drawing.height = image.height;
    const context = drawing.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    labels = context.getImageData(0, 0, image.width, image.height);
    count();
    paint();
    document.documentElement.dataset.shown = order[place] + 1;
  }

  function setFade(value) {
    fade.value = Math.max(0, Math.min(100, value));
    mask.style.opacity = fade.value / 100;
    get("strength").textContent = `${fade.value}%`;
  }

  function choose(name) {
    const now = order[place];
    part = name;
    order = slides.map((_, at) => at).filter((at) => !part || slides[at].part === part);
    document.querySelectorAll("#parts button").forEach((b) => b.setAttribute("aria-pressed", b.value === part));
    film.querySelectorAll("button").forEach((button, at) => (button.hidden = !order.includes(at)));
    show(Math.max(0, order.indexOf(now)));
  }

  slides.forEach((slide, at) => {
    const button = make("button"), small = make("img");
    button.type = "button";
    button.title = slide.name;
    small.src = slide.image;
    small.alt = slide.name;
    small.decoding = "async";
    button.append(small);
    button.addEventListener("click", () => show(order.indexOf(at)));
    film.append(button);
  });
  const parts = [...new Set(slides.map((slide) => slide.part))].filter(Boolean);
  if (parts.length > 1)
    ["", ...parts].forEach((name) => {
      const button = make("button", "", name || "all");
      button.type = "button";
      button.value = name;
      button.addEventListener("click", () => choose(name));
      get("parts").append(button);
    });
  get("parts").hidden = parts.length < 2;

  get("back").addEventListener("click", () => show(place - 1));
  get("next").addEventListener("click", () => show(place + 1));
  fade.addEventListener("input", () => setFade(+fade.value));
  addEventListener("resize", fit);
  addEventListener("hashchange", () => {
    const asked = order.indexOf(parseInt(location.hash.slice(1), 10) - 1);
    if (asked >= 0 && asked !== place) show(asked);
  });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const sliding = event.target === fade;
    const steps = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: order.length - 1 };
    const fades = { ArrowUp: 10, ArrowDown: -10 };
    const number = parseInt(event.key, 10);
    if (event.key in steps && !sliding) show(steps[event.key]);
    else if (event.key in fades && !sliding) setFade(+fade.value + fades[event.key]);
    else if (event.key === "m") {
      if (+fade.value) strength = +fade.value;
      setFade(+fade.value ? 0 : strength);
    } else if (number >= 1 && number <= rows.length) rows[number - 1].box.click();
    else return;
    event.preventDefault();
  });
  let from = null;
  stage.addEventListener("pointerdown", (event) => (from = event.clientX));
  stage.addEventListener("pointerup", (event) => {
    if (from !== null && Math.abs(event.clientX - from) > 50) show(place + (event.clientX < from ? 1 : -1));
    from = null;
  });

  setFade(strength);
  const asked = parseInt(location.hash.slice(1), 10) - 1;
  order = slides.map((_, at) => at);
  place = asked >= 0 && asked < slides.length ? asked : 0;
  choose("");
})();
