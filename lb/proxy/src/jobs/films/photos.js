// The photos that were chosen, in the order of the film: seen, moved by pointer or by buttons,
// removed, and marked where one cannot be used.

/** Columns of a thumbnail, in pixels. */
const WIDE = 320;

/** A button with words for those who do not see its sign. */
function button(sign, words, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = sign;
  made.setAttribute("aria-label", words);
  made.title = words;
  made.addEventListener("click", pressed);
  return made;
}

/** Draws `file` onto `canvas`, turned as it says itself; `false` where no browser can. */
async function draw(file, canvas) {
  try {
    const bitmap = await createImageBitmap(file);
    canvas.width = WIDE;
    canvas.height = Math.max(1, Math.round((WIDE * bitmap.height) / bitmap.width));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return true;
  } catch {
    return false;
  }
}

export class Photos {
  /** Shows them in the element `list`, and tells `say` what has changed. */
  constructor(list, say) {
    this.list = list;
    this.say = say;
    this.all = [];
    this.drawn = Promise.resolve();
    list.addEventListener("pointerdown", (event) => this.grip(event));
  }

  get files() {
    return this.all.map((photo) => photo.file);
  }

  get bytes() {
    return this.files.reduce((sum, file) => sum + file.size, 0);
  }

  add(files) {
    for (const file of files) {
      const photo = { file };
      photo.item = this.item(photo);
      this.all.push(photo);
      this.list.append(photo.item);
      // One after the other: a photo is large while it is drawn.
      this.drawn = this.drawn.then(async () => {
        const canvas = photo.item.querySelector("canvas");
        const is_seen = await draw(file, canvas);
        photo.item.classList.toggle("unseen", !is_seen);
        photo.item.classList.add("ready");
      });
    }
    this.number();
  }

  item(photo) {
    const item = document.createElement("li");
    const picture = document.createElement("div");
    picture.className = "picture";
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", photo.file.name);
    const grip = document.createElement("span");
    grip.className = "grip";
    grip.textContent = "⠿";
    grip.setAttribute("aria-hidden", "true");
    picture.append(canvas, grip);
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = photo.file.name;
    const nth = document.createElement("b");
    const why = document.createElement("p");
    why.className = "why";
    const keys = document.createElement("div");
    keys.className = "keys";
    const called = photo.file.name;
    keys.append(
      button("←", `Move ${called} earlier`, () => this.step(photo, -1)),
      nth,
      button("→", `Move ${called} later`, () => this.step(photo, 1)),
      button("✕", `Remove ${called}`, () => this.remove(photo)),
    );
    item.append(picture, name, why, keys);
    return item;
  }

  /** Moves `photo` one place, and keeps the focus on the button that was pressed. */
  step(photo, by) {
    const focus = document.activeElement;
    this.move(photo, this.all.indexOf(photo) + by);
    focus?.focus();
  }

  move(photo, to) {
    const from = this.all.indexOf(photo);
    if (from < 0 || to < 0 || this.all.length <= to || from === to) return;
    this.all.splice(from, 1);
    this.all.splice(to, 0, photo);
    const after = this.all[to + 1];
    this.list.insertBefore(photo.item, after ? after.item : null);
    this.number();
    this.say(`${photo.file.name} is number ${to + 1} of ${this.all.length}`);
  }

  remove(photo) {
    const at = this.all.indexOf(photo);
    this.all.splice(at, 1);
    photo.item.remove();
    this.number();
    this.say(`${photo.file.name} is removed`);
    const next = this.all[Math.min(at, this.all.length - 1)];
    next?.item.querySelector(".keys button:last-child").focus();
  }

  /** Says of the photo that was sent as `nth` why it cannot be used. */
  mark(nth, why) {
    const photo = this.all[nth - 1];
    if (!photo) return null;
    photo.item.classList.add("failing");
    photo.item.querySelector(".why").textContent = why;
    photo.is_bad = true;
    return photo;
  }

  unmark() {
    for (const photo of this.all) {
      photo.is_bad = false;
      photo.item.classList.remove("failing");
      photo.item.querySelector(".why").textContent = "";
    }
  }

  remove_marked() {
    for (const photo of this.all.filter((photo) => photo.is_bad)) this.remove(photo);
  }

  number() {
    this.all.forEach((photo, at) => {
      const [earlier, later] = photo.item.querySelectorAll(".keys button");
      photo.item.querySelector("b").textContent = at + 1;
      // Not `disabled`: that would take the focus away.
      earlier.setAttribute("aria-disabled", at === 0);
      later.setAttribute("aria-disabled", at === this.all.length - 1);
    });
    this.list.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** A photo is dragged: with a mouse by its picture, with a finger by its grip */
  grip(event) {
    const is_mouse = event.pointerType === "mouse";
    const picture = event.target.closest(is_mouse ? ".picture" : ".grip");
    const item = picture?.closest("li");
    const photo = this.all.find((one) => one.item === item);
    if (!photo || event.button !== 0) return;
    event.preventDefault();
    item.classList.add("dragged");
    let to = null;
    const marked = () => this.list.querySelector(".before, .after");
    const unmark = () => marked()?.classList.remove("before", "after");
    const moved = ({ clientX, clientY }) => {
      unmark();
      const over = document.elementFromPoint(clientX, clientY)?.closest("#photos > li");
      to = null;
      if (!over || over === item) return;
      const { left, width } = over.getBoundingClientRect();
      const is_after = left + width / 2 < clientX;
      over.classList.add(is_after ? "after" : "before");
      const [from, at] = [photo, this.all.find((one) => one.item === over)].map((one) =>
        this.all.indexOf(one),
      );
      to = at + (is_after ? 1 : 0) - (from < at ? 1 : 0);
    };
    const end = (is_dropped) => {
      unmark();
      item.classList.remove("dragged");
      for (const [name, heard] of heard_of) document.removeEventListener(name, heard);
      if (is_dropped && to !== null) this.move(photo, to);
    };
    const heard_of = [
      ["pointermove", moved],
      ["pointerup", () => end(true)],
      ["pointercancel", () => end(false)],
      ["keydown", (key) => key.key === "Escape" && end(false)],
    ];
    for (const [name, heard] of heard_of) document.addEventListener(name, heard);
  }
}
