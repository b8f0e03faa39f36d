// A film on its way: sent with progress, followed until it is there or has failed.

/** Between two looks at a job, in milliseconds. */
const LOOK = 700;

/** The longest wait between two tries where nobody answers, in milliseconds. */
const AGAIN_MAX = 10_000;

/** What is known of a photo that cannot be used, in what the worker says of a form. */
const OF_PHOTO = /(?:^|; )`photos`: photo (\d+)(?:, `[^`]*`)?: ([^;]*)/g;

/** What went wrong, for people; `photos` by their numbers, from 1 on. */
export class Failed extends Error {
  constructor(detail) {
    super(detail);
    this.photos = [...detail.matchAll(OF_PHOTO)].map(([, nth, why]) => ({ nth: Number(nth), why }));
  }
}

/** What an answer that is no success says. */
function detail(status, text) {
  try {
    return JSON.parse(text).detail ?? `the answer was ${status}`;
  } catch {
    return `the answer was ${status}`;
  }
}

function random_key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Sends `form` to `url`; the id of its job. `told` hears the part that is sent. */
export function send(url, form, told, signal) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", `"${random_key()}"`);
    request.upload.addEventListener("progress", ({ loaded, total }) => told(loaded, total));
    request.addEventListener("load", () => {
      if (request.status === 202) done(JSON.parse(request.responseText).id);
      else failed(new Failed(detail(request.status, request.responseText)));
    });
    request.addEventListener("error", () => failed(new Failed("the connection broke; try again")));
    request.addEventListener("abort", () => failed(signal.reason));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

function wait(ms, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      failed(signal.reason);
    });
  });
}

/** How far the clock of the one who answers is ahead of ours, in milliseconds. */
function ahead(answer) {
  const date = Date.parse(answer.headers.get("date") ?? "");
  return Number.isNaN(date) ? 0 : date - Date.now();
}

/** Looks once at the job at `url`; its state, or where its result is. */
async function look(url, signal) {
  const headers = { Accept: "application/json" };
  const answer = await fetch(url, { headers, signal, redirect: "manual", cache: "no-store" });
  // It leads to its result.
  if (answer.type === "opaqueredirect") return { result: `${url}/result` };
  if (answer.status === 404 || answer.status === 410) {
    throw new Failed("This film is not there any more.");
  }
  if (!answer.ok) throw new TypeError(`the answer was ${answer.status}`);
  return { job: await answer.json(), ahead: ahead(answer) };
}

/** Checks that the job has come to a film. */
async function checked(url, signal) {
  const head = await fetch(url, { method: "HEAD", signal });
  if (head.ok) return url;
  const answer = await fetch(url, { signal });
  throw new Failed(detail(answer.status, await answer.text()));
}

const ENDED = {
  cancelled: "This film was given up.",
  expired: "Nobody had time for this film.",
  dead: "This film cannot be made: it was tried several times.",
};

/** Where the film of the job at `url` is, once it is there. `told` hears how it is meanwhile. */
export async function follow(url, told, signal) {
  for (let failures = 0; ; ) {
    try {
      const { result, job, ahead } = await look(url, signal);
      if (result) return await checked(result, signal);
      if (ENDED[job.state]) throw new Failed(ENDED[job.state]);
      told(job, ahead);
      failures = 0;
      await wait(LOOK, signal);
    } catch (error) {
      if (error instanceof Failed || signal.aborted) throw error;
      failures += 1;
      told(null, 0);
      await wait(Math.min(LOOK * 2 ** failures, AGAIN_MAX), signal);
    }
  }
}
