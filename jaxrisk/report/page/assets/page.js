const read = (id) => JSON.parse(document.getElementById(id).textContent);
const specs = read("specs");
const { choice, look } = read("data");
const options = { actions: false, renderer: "svg", ast: true, hover: false };

// A chart takes the place of its drawing when it comes near the window; until then, and in print, the drawing stands.
const embed = async (box) => {
  const picture = box.closest(".picture");
  picture.classList.add("moving");
  try {
    await vegaEmbed(box, specs[box.dataset.spec], options);
    silence(box);
  } catch (error) {
    picture.classList.remove("moving");
    console.error(error);
  }
};
// the picture has one text alternative, not one a mark
const silence = (box) => {
  for (const one of box.querySelectorAll("svg, [role], [aria-label], [tabindex]")) {
    for (const name of ["role", "aria-label", "aria-roledescription", "tabindex"]) one.removeAttribute(name);
  }
  for (const svg of box.querySelectorAll("svg")) svg.setAttribute("aria-hidden", "true");
};
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    embed(entry.target.querySelector(".live"));
  }
}, { rootMargin: "200px" });
for (const box of document.querySelectorAll(".picture")) if (box.querySelector(".live")) seen.observe(box);

for (const fold of document.querySelectorAll("details")) fold.dataset.open = fold.open;
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((fold) => {
  fold.dataset.open = fold.open;
  fold.open = true;
}));
addEventListener("afterprint", () => document.querySelectorAll("details").forEach((fold) => {
  fold.open = fold.dataset.open === "true";
}));

const fill = (list, values, words) => values.forEach((value, place) => list.add(new Option(words[place], value)));
const text = (tag, words, parent) => {
  const made = document.createElement(tag);
  made.textContent = words;
  parent?.append(made);
  return made;
};

if (choice) {
  const form = document.getElementById("choice");
  const [setting, measure, branch] = ["setting", "measure", "branch"].map((id) => document.getElementById(id));
  const told = document.getElementById("told");
  const percent = (share) => `${Number((100 * share).toPrecision(3))}%`;
  fill(setting, choice.cells, choice.cells);
  fill(measure, choice.measures.map((one) => one.key), choice.measures.map((one) => one.label));
  fill(branch, choice.branches, choice.branches.map((name) => name || "all, by their weights"));
  document.getElementById("setting-label").hidden = choice.cells.length < 2;
  document.getElementById("branch-label").hidden = choice.branches.length < 2;
  for (const label of form.querySelectorAll("label")) if (label.hidden) label.style.display = "none";
  form.hidden = false;

  const others = choice.cells.filter((name) => choice.reference[name] !== name);
  const first = { setting: others[0] ?? choice.cells[0], measure: choice.measures[0]?.key, branch: "" };
  const fromAddress = () => {
    const said = new URLSearchParams(location.hash.slice(1));
    for (const [name, list] of Object.entries({ setting, measure, branch })) {
      const wanted = said.get(name) ?? (list.value && said.size === 0 && list.dataset.set ? list.value : first[name]);
      list.value = [...list.options].some((one) => one.value === wanted) ? wanted : first[name];
      list.dataset.set = "1";
    }
  };
  const toAddress = () => {
    const said = new URLSearchParams({ setting: setting.value, measure: measure.value });
    if (branch.value) said.set("branch", branch.value);
    history.replaceState(null, "", `#${said}`);
  };
  const found = (cell) => choice.found[`${cell}|${branch.value}|${measure.value}`];
  const series = () => {
    const one = choice.measures.find((each) => each.key === measure.value);
    if (choice.kind === "run") return (one.curves ?? []).map(([name, key]) => [name, choice.curves[key]]);
    const names = [...new Set([choice.reference[setting.value], setting.value])];
    const key = (name, of) => `${name}|${of}|${one.observable}`;
    return names.map((name) => [name, choice.curves[key(name, branch.value)] ?? choice.curves[key(name, "")]]);
  };
  const say = () => {
    told.replaceChildren();
    const reference = choice.reference[setting.value];
    const line = (name, words, id) => {
      const made = text("p", "", told);
      text("strong", `${name}: `, made);
      text("span", words, made).id = id;
    };
    const base = found(reference), mine = found(setting.value);
    if (base) line(reference, base.text, "told-reference");
    if (mine && setting.value !== reference) {
      line(setting.value, mine.text, "told-value");
      const made = text("p", "", told);
      made.className = `is-${mine.verdict}`;
      text("strong", "Change: ", made);
      text("span", `${mine.change} `, made).id = "told-change";
      const badge = text("span", mine.words, made);
      badge.className = "badge";
    }
  };
  let view = null;
  const draw = async () => {
    const one = choice.measures.find((each) => each.key === measure.value);
    const known = series().filter(([, curve]) => curve);
    const box = document.getElementById("chosen");
    const caption = document.getElementById("choice-caption");
    const numbers = document.getElementById("choice-numbers");
    const table = document.getElementById("choice-table");
    table.replaceChildren();
    numbers.hidden = known.length === 0;
    if (known.length === 0) {
      box.replaceChildren();
      caption.textContent = "The distribution is not in this page: the results of single runs were not there when it was made.";
      return;
    }
    const levels = choice.levels[one.observable];
    const title = choice.titles[one.observable];
    const rows = known.flatMap(([name, [value, low, high]]) => levels.map((level, k) => (
      { series: name, level, value: value[k], low: low[k], high: high[k] })));
    const words = `Probability of more than a given ${title}: ${known.map(([name]) => name).join(" beside ")}, with 95% bands.`;
    caption.textContent = words;
    document.getElementById("choice-picture").setAttribute("aria-label", words);
    const head = text("tr", "", table.createTHead());
    for (const name of [title, ...known.flatMap(([name]) => [name, "95% interval"])]) text("th", name, head).scope = "col";
    const body = table.createTBody();
    levels.forEach((level, k) => {
      const row = text("tr", "", body);
      text("th", String(level), row).scope = "row";
      for (const [, [value, low, high]] of known) {
        text("td", percent(value[k]), row);
        text("td", `${percent(low[k])} to ${percent(high[k])}`, row);
      }
    });
    const spec = structuredClone(choice.spec);
    const seen = rows.filter((row) => row.value > 0);
    const least = Math.min(...seen.map((row) => row.value), 0.1);
    const floor = 10 ** Math.floor(Math.log10(least * 0.9));
    const names = known.map(([name]) => name);
    const visit = (node) => {
      if (node === null || typeof node !== "object") return;
      if (node.field === "level" && "title" in node) node.title = title;
      if (node.scale?.type === "log") node.scale.domain = [floor, 1];
      if (node.field === "series" && node.scale) {
        node.scale.domain = names;
        node.scale.range = node.scale.range.slice(0, names.length);
      }
      Object.values(node).forEach(visit);
    };
    visit(spec.layer);
    spec.data = { values: seen.map((row) => ({ ...row, low: Math.max(row.low, floor), high: Math.min(row.high, 1) })) };
    view?.finalize();
    view = await vegaEmbed(box, spec, options);
    silence(box);
  };
  const show = () => { say(); return draw(); };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => { toAddress(); show(); });
  addEventListener("hashchange", () => { if (/^#(setting|measure|branch)=/.test(location.hash)) { fromAddress(); show(); } });
  fromAddress();
  show().then(() => { document.documentElement.dataset.ready = "1"; });
}
