// The page where films are made: what is chosen becomes a job, which is followed by its id, in the
// address after `#`. So a page that is loaded again goes on, and two pages follow two films.

import { Photos } from "./photos.js";
import { Failed, follow, send } from "./film.js";

const at = (id) => document.getElementById(id);
const form = at("form");
const say = (text) => (at("said").textContent = text);
const photos = new Photos(at("photos"), say);
let music = null;
/** Ends what is under way. */
let stop = new AbortController();

// === What is chosen

const IS_MUSIC = /^audio\/|\.(mp3|m4a|aac|wav|flac|ogg|oga)$/i;

function choose(files) {
  const sounds = [...files].filter((file) => IS_MUSIC.test(file.type) || IS_MUSIC.test(file.name));
  photos.add([...files].filter((file) => !sounds.includes(file)));
  if (sounds.length) set_music(sounds.at(-1));
}

function set_music(file) {
  music = file;
  at("music-name").textContent = file ? file.name : "";
  at("no-music").hidden = !file;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** How much is chosen, and whether that can be sent. */
function sum_up() {
  const [n, bytes] = [photos.all.length, photos.bytes + (music?.size ?? 0)];
  const is_large = Number(form.dataset.bytesMax) < bytes;
  const is_many = Number(form.dataset.photosMax) < n;
  const seconds = n * Number(form.seconds.value) + Math.max(0, n - 1) * Number(form.fade.value);
  const most = is_large ? `, and ${megabytes(Number(form.dataset.bytesMax))} is the most` : "";
  const many = is_many ? `, and ${form.dataset.photosMax} is the most` : "";
  const length = seconds.toFixed(1);
  const photo = n === 1 ? "1 photo" : `${n} photos`;
  at("sum").textContent = n
    ? `${photo}${many}, ${megabytes(bytes)}${most}. The film will have ${length} seconds.`
    : "";
  at("sum").classList.toggle("bad", is_large || is_many);
  at("make").disabled = n === 0 || is_large || is_many;
}

function size() {
  const [width, height] = at("size").value.split("x");
  form.width.value = width;
  form.height.value = height;
}

// === What is seen

/** One of `choosing`, `sending`, `working` and `done`. */
function show(stage) {
  document.body.dataset.stage = stage;
  form.hidden = stage !== "choosing";
  at("work").hidden = stage !== "sending" && stage !== "working";
  at("film").hidden = stage !== "done";
  if (stage !== "choosing") at("wrong").hidden = true;
}

function progress(part, words) {
  at("part").value = part;
  at("words").textContent = words;
}

function told_of_sending(loaded, total) {
  const part = total ? loaded / total : 0;
  progress(part, `Sent ${megabytes(loaded)} of ${megabytes(total)}, ${(part * 100).toFixed(0)} %`);
}

/** The state of the job in words. */
function told_of_job(job, ahead) {
  if (!job) {
    at("words").textContent = "There is no connection. Trying again…";
    return;
  }
  const finish = Date.parse(job.predicted_finish ?? "") - ahead;
  const left = Math.max(0, Math.ceil((finish - Date.now()) / 1000));
  const clock = new Date(finish).toLocaleTimeString();
  const ready = Number.isNaN(finish) ? "" : ` Ready in about ${left} s, at ${clock}.`;
  const before = job.ahead?.jobs ?? 0;
  const films = before === 1 ? "another film" : `${before} films`;
  const waits = before ? `It waits for ${films}.` : "It waits.";
  const works = `${(job.progress * 100).toFixed(0)} % is done.`;
  progress(job.progress, (job.state === "running" ? works : waits) + ready);
  at("words").dataset.finish = job.predicted_finish ?? "";
}

function show_film(url) {
  at("player").src = url;
  at("download").href = url;
  show("done");
  say("The film is ready");
  at("film").querySelector("h2").focus();
}

function show_failure(failed) {
  show("choosing");
  photos.unmark();
  const marked = failed.photos.filter(({ nth, why }) => photos.mark(nth, why));
  const names = marked.map(({ nth }) => photos.all[nth - 1].file.name).join(", ");
  const one = marked.length === 1;
  at("wrong-words").textContent = marked.length
    ? `${names} cannot be used: ${marked[0].why}.`
    : failed.message;
  at("without").hidden = !marked.length;
  const them = one ? "it" : `these ${marked.length}`;
  at("without").textContent = `Remove ${them} and go on`;
  at("wrong").hidden = false;
  at("wrong").focus();
}

// === What is done

const id_shown = () => /^#([0-9a-f]{32})$/.exec(location.hash)?.[1];
const job_at = (id) => `${form.dataset.jobs}/${id}`;

function begin() {
  stop.abort(new DOMException("something else is shown", "AbortError"));
  stop = new AbortController();
  return stop.signal;
}

/** Runs `work` until it has ended or something else is shown. */
async function run(work, signal) {
  try {
    await work();
  } catch (error) {
    if (signal.aborted) return;
    history.replaceState(null, "", location.pathname);
    show_failure(error instanceof Failed ? error : new Failed(String(error.message)));
  }
}

function make() {
  const sent = new FormData();
  for (const file of photos.files) sent.append("photos[]", file, file.name);
  if (music) sent.append("music", music, music.name);
  for (const name of ["width", "height", "seconds", "fade"]) sent.append(name, form[name].value);
  const signal = begin();
  show("sending");
  progress(0, "Sending…");
  at("stage").textContent = "Sending the photos";
  return run(async () => {
    const id = await send(form.action, sent, told_of_sending, signal);
    history.pushState(null, "", `#${id}`);
    await watch(id, signal);
  }, signal);
}

async function watch(id, signal) {
  show("working");
  at("stage").textContent = "Making the film";
  progress(0, "It waits.");
  show_film(await follow(job_at(id), told_of_job, signal));
}

/** Shows what the address says. */
function come() {
  const [id, signal] = [id_shown(), begin()];
  at("player").removeAttribute("src");
  if (id) run(() => watch(id, signal), signal);
  else show("choosing");
}

async function give_up() {
  const id = id_shown();
  begin();
  if (id) await fetch(job_at(id), { method: "DELETE" }).catch(() => {});
  history.replaceState(null, "", location.pathname);
  come();
}

// === What is heard

at("pick").required = false;
for (const name of ["pick", "music"]) {
  at(name).addEventListener("change", ({ target }) => {
    choose(target.files);
    target.value = "";
  });
}
at("no-music").addEventListener("click", () => {
  set_music(null);
  sum_up();
});
form.addEventListener("change", sum_up);
form.addEventListener("input", sum_up);
at("size").addEventListener("change", size);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!at("make").disabled) make();
});
at("without").addEventListener("click", () => {
  photos.remove_marked();
  at("wrong").hidden = true;
  if (photos.all.length) make();
});
at("stop").addEventListener("click", give_up);
at("another").addEventListener("click", () => {
  history.pushState(null, "", location.pathname);
  come();
});
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("over", name === "dragover");
    if (name === "drop" && !form.hidden) {
      choose(event.dataTransfer.files);
      sum_up();
    }
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
window.addEventListener("popstate", come);
window.addEventListener("hashchange", come);
window.addEventListener("beforeunload", (event) => {
  if (document.body.dataset.stage === "sending") event.preventDefault();
});

document.documentElement.classList.add("has-script");
size();
sum_up();
come();
