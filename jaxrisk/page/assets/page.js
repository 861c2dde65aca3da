const read = (id) => JSON.parse(document.getElementById(id).textContent);
const specs = read("specs");
const { choices, look } = read("data");
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

// What may be chosen of one page; `ahead` stands before its names in the document and in the address.
const choose = (choice, ahead) => {
  const part = (name) => document.getElementById(ahead + name);
  const form = part("choice");
  const [setting, measure, branch] = ["setting", "measure", "branch"].map(part);
  const told = part("told");
  const percent = (share) => `${Number((100 * share).toPrecision(3))}%`;
  fill(setting, choice.cells, choice.cells);
  fill(measure, choice.measures.map((one) => one.key), choice.measures.map((one) => one.label));
  fill(branch, choice.branches, choice.branches.map((name) => name || "all, by their weights"));
  part("setting-label").hidden = choice.cells.length < 2;
  part("branch-label").hidden = choice.branches.length < 2;
  for (const label of form.querySelectorAll("label")) if (label.hidden) label.style.display = "none";
  form.hidden = false;

  const others = choice.cells.filter((name) => choice.reference[name] !== name);
  const first = { setting: others[0] ?? choice.cells[0], measure: choice.measures[0]?.key, branch: "" };
  const fromAddress = () => {
    const said = asked();
    for (const [name, list] of Object.entries({ setting, measure, branch })) {
      const wanted = said.get(ahead + name) ?? (list.value && said.size === 0 && list.dataset.set ? list.value : first[name]);
      list.value = [...list.options].some((one) => one.value === wanted) ? wanted : first[name];
      list.dataset.set = "1";
    }
  };
  const toAddress = () => {
    const said = asked();
    said.set(`${ahead}setting`, setting.value);
    said.set(`${ahead}measure`, measure.value);
    if (branch.value) said.set(`${ahead}branch`, branch.value);
    else said.delete(`${ahead}branch`);
    history.replaceState(null, "", `#${said}`);
  };
  const found = (cell) => choice.found[`${cell}|${branch.value}|${measure.value}`];
  const series = () => {
    const one = choice.measures.find((each) => each.key === measure.value);
    if (choice.kind === "run") return (one.curves ?? []).map(([name, key]) => [name, choice.curves[key]]);
    const names = [...new Set([choice.reference[setting.value], setting.value])];
    const key = (name, of) => `${name}|${of}|${one.observable}`;
    return names.map((name) => [name, choice.curves[key(name, branch.value)]]);
  };
  const say = () => {
    told.replaceChildren();
    const reference = choice.reference[setting.value];
    const line = (name, words, id) => {
      const made = text("p", "", told);
      text("strong", `${name}: `, made);
      text("span", words, made).id = ahead + id;
    };
    const base = found(reference), mine = found(setting.value);
    if (base) line(reference, base.text, "told-reference");
    if (mine && setting.value !== reference) {
      line(setting.value, mine.text, "told-value");
      const made = text("p", "", told);
      made.className = `is-${mine.verdict}`;
      text("strong", "Change: ", made);
      text("span", mine.change ? `${mine.change} ` : "", made).id = `${ahead}told-change`;
      if (mine.words) text("span", mine.words, made).className = "badge";
    }
  };
  let view = null;
  const draw = async () => {
    const one = choice.measures.find((each) => each.key === measure.value);
    const wanted = series();
    const known = wanted.filter(([, curve]) => curve);
    const box = part("chosen");
    const caption = part("choice-caption");
    const numbers = part("choice-numbers");
    const table = part("choice-table");
    table.replaceChildren();
    numbers.hidden = known.length === 0;
    if (known.length === 0) {
      box.replaceChildren();
      caption.textContent = branch.value && choice.curves[`${setting.value}||${one.observable}`]
        ? "The distribution of single branches is not in this page; that over all branches is."
        : "The distribution is not in this page: the results of single runs were not there when it was made.";
      return;
    }
    const levels = choice.levels[one.observable];
    const title = choice.titles[one.observable];
    const rows = known.flatMap(([name, [value, low, high]]) => levels.map((level, k) => (
      { series: name, level, value: value[k], low: low[k], high: high[k] })));
    const gone = wanted.filter(([, curve]) => !curve).map(([name]) => ` That of ${name} is not in this page.`).join("");
    const of = branch.value ? `, in the branch ${branch.value}` : choice.branches.length > 1 ? ", over all branches" : "";
    const sides = known.map(([name]) => name).join(" beside ");
    const words = `Probability of more than a given ${title}${of}: ${sides}, with 95% bands.${gone}`;
    caption.textContent = words;
    part("choice-picture").setAttribute("aria-label", words);
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
  addEventListener("hashchange", () => { if (asked().size > 0) { fromAddress(); show(); } });
  fromAddress();
  return show();
};
// The choices that the address carries, of all pages; none where it is the address of a part.
const asked = () => new URLSearchParams(/^#(\d+-)?(setting|measure|branch)=/.test(location.hash) ? location.hash.slice(1) : "");
Promise.all(Object.entries(choices).map(([ahead, choice]) => choose(choice, ahead))).then(() => {
  if (Object.keys(choices).length > 0) document.documentElement.dataset.ready = "1";
});
