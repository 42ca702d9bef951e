// One request at a time: while the server answers, only the last wish waits, so a dragged slider never builds a queue.
// A file that the server would not take is not sent: it is said here.
const refuse = (event) => {
  const here = event.target.closest?.("#drop-here");
  const [file] = event.target.files || event.dataTransfer?.files || [];
  if (!here || !file) return;
  const largest = Number(here.dataset.largest);
  if (file.size <= largest) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const [most, size] = [largest, file.size].map((bytes) => Math.ceil(bytes / 2 ** 20));
  const mesh = here.dataset.meshes.split(" ").some((suffix) => file.name.toLowerCase().endsWith(suffix));
  const hint = mesh ? "svevae field --mesh takes more" : "cut it by svevae import --crop, and give the file to svevae explore";
  const text = `${file.name}: expected at most ${most} MB, received ${size}; ${hint}`;
  window.dash_clientside.set_props("wrong", { children: text });
  if (event.target.files) event.target.value = ""; // else the same file is no change
};
for (const name of ["change", "drop"]) window.addEventListener(name, refuse, true);

window.dash_clientside = Object.assign({}, window.dash_clientside, {
  svevae: (() => {
    const PATIENCE = 5000; // ms, after which an answer counts as lost
    let asked = 0, waiting = null, count = 0, shown = [];
    const send = (wish) => {
      asked = Date.now();
      waiting = null;
      window.dash_clientside.set_props("wish", { data: { ...wish, count: ++count } });
    };
    return {
      ask: (moves, pores, axis, start) => {
        if (!start) return;
        moves.forEach((move, index) => {
          if (move === shown[index]) return;
          const text = move ? (move > 0 ? "+" : "\u2212") + Math.abs(move).toFixed(1) : "";
          document.getElementById(`moved-${index}`).textContent = text; // not by set_props, which goes through all of the page
        });
        shown = moves;
        const wish = { moves, pores, axis, start };
        if (asked && Date.now() - asked < PATIENCE) waiting = wish;
        else send(wish);
      },
      next: () => {
        asked = 0;
        if (waiting) send(waiting);
      },
    };
  })(),
});
