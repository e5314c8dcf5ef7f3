(() => {
  "use strict";
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("film-data").textContent);
  const film = find("film"), at = find("film-at"), play = find("film-play");
  const cells = [...find("film-cells").children], tokens = [...find("film-tokens").children];
  const sums = [...film.querySelectorAll(".scores output")];
  const marks = [...film.querySelectorAll(".curves .at")];
  const names = Object.keys(data.counts[0]), last = data.steps.length - 1;
  const players = tokens.filter((token) => token.querySelector("text"));
  let now = 0, timer = 0;

  const place = (token, here, before) => {
    token.classList.toggle("gone", !here);
    if (!here) return;
    const far = !before || Math.abs(here[0] - before[0]) + Math.abs(here[1] - before[1]) > 1;
    token.classList.toggle("jump", far);
    token.classList.toggle("frozen", here[3] === 1);
    token.style.transform = `translate(${10 * here[1]}px,${10 * here[0]}px)`;
    const eyes = token.querySelector(".eyes");
    if (!eyes) return;
    eyes.style.display = here[2] < 0 ? "none" : "";
    eyes.style.transform = `rotate(${90 * here[2]}deg)`;
  };

  const show = (to) => {
    const before = now;
    now = Math.max(0, Math.min(last, to));
    cells.forEach((cell, i) => cell.classList.toggle("off", !data.on[now][i]));
    tokens.forEach((token, i) => place(token, data.tokens[i][now], data.tokens[i][before]));
    const held = data.held[now].map(String);
    players.forEach((token) => {
      token.classList.toggle("held", held.includes(token.querySelector("text").textContent));
    });
    data.sums[now].forEach((sum, i) => { sums[i].textContent = sum; });
    names.forEach((name, i) => {
      find(`film-count-${i}`).textContent = data.counts[now][name];
      const x = last ? (100 * now) / last : 0;
      marks[i].setAttribute("x1", x);
      marks[i].setAttribute("x2", x);
    });
    const told = names.map((name) => `${data.counts[now][name]} ${name}`).join(", ");
    find("film-now").textContent = `after step ${data.steps[now]}: ${told}`;
    at.value = now;
    if (now === last) pause();
  };

  const pause = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  const start = () => {
    if (now === last) show(0);
    clearInterval(timer);
    timer = setInterval(() => show(now + 1), 1000 / find("film-speed").value);
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
  };

  play.addEventListener("click", () => (timer ? pause() : start()));
  find("film-speed").addEventListener("change", () => timer && start());
  find("film-back").addEventListener("click", () => { pause(); show(now - 1); });
  find("film-next").addEventListener("click", () => { pause(); show(now + 1); });
  at.addEventListener("input", () => { pause(); show(Number(at.value)); });
  film.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    const keys = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last };
    if (event.key === " " && event.target.tagName !== "BUTTON") timer ? pause() : start();
    else if (event.key in keys) { pause(); show(keys[event.key]); }
    else return;
    event.preventDefault();
  });

  at.max = last;
  film.hidden = false;
  find("film-strip").hidden = true;
  show(0);
})();
