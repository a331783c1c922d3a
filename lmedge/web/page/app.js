// The page: a face, what moves it, and what it is saved as.
import {draggable} from './drag.js';
import {check, checkClean, draw as drawLatent, inside, moved, truncated} from './latents.js';
import {FaceModel, loaded} from './model.js';
import {pull} from './shapes.js';

const DRAWN = 512; // pixels of the canvas
const LAST = 50; // faces whose median time is shown
const FIRST = 5; // seed of a face that convinces in the models that come with lmedge; of others it is as good as any
const TRIES = 32; // faces of a seed of which one is clean
const FAINTEST = 0.25; // opacity of a point of no confidence; one of half of it, and more, is opaque
const at = (id) => document.getElementById(id);
const times = [];
const firsts = new Map(); // seed -> latent of its first clean face
let facts, model, drawing, again;

/** What is on the screen; tests read it too. `pulled` is how far z is moved because somebody dragged a point. */
export const state = {seed: FIRST, z: null, face: null, pulled: null, started: false, kept: false};
window.lmedge = {state, FaceModel, check, checkClean, drawLatent, truncated};

async function start() {
  facts = await (await loaded('web.json')).json();
  check(facts.latent);
  checkClean(facts.clean);
  model = await FaceModel.load(facts.model);
  for (const control of facts.controls) addSlider(control);
  at('about').textContent = facts.about;
  const {truncation, min_confidence: least} = facts.clean;
  at('choice').hidden = !least && Object.values(truncation).every((share) => share === 1);
  state.seed = seedOfAddress();
  at('controls').hidden = false;
  at('face').disabled = false;
  at('face').onclick = at('new').onclick = () => show(state.seed + 1);
  at('controls').onreset = () => {
    state.pulled.fill(0);
    setTimeout(draw); // the controls change after this event
  };
  at('controls').onsubmit = (event) => event.preventDefault();
  at('controls').oninput = draw;
  at('save-png').onclick = savePicture;
  at('save-points').onclick = savePoints;
  window.onhashchange = () => show(seedOfAddress());
  state.pulled = new Float32Array(facts.latent.size);
  await draw();
  letPointsBeDragged();
  for (let i = 0; i < 3; i++) await draw(); // the first face of a model takes longer than the others
  state.started = true;
  await keep().catch(console.warn); // a browser without room for it still makes faces
}

/** 7 of `#7`; the first one where there is no such number. */
function seedOfAddress() {
  const seed = Number.parseInt(location.hash.slice(1), 10);
  return seed >= 0 && seed < Number.MAX_SAFE_INTEGER ? seed : FIRST;
}

/** Keeps the files that were loaded, for worker.js to open the page without a network: a set for each version of the
 * page, the older ones go. Browsers offer it over https and on localhost. */
async function keep() {
  if (!navigator.serviceWorker) return;
  await navigator.serviceWorker.register('worker.js');
  const folder = new URL('./', location).href;
  const name = `${folder} ${facts.version}`;
  const cache = await caches.open(name);
  const files = performance.getEntriesByType('resource').map((entry) => entry.name);
  const missing = [];
  for (const url of new Set([folder, ...files.filter((file) => file.startsWith(folder))])) {
    if (!(await cache.match(url))) missing.push(url);
  }
  await cache.addAll(missing);
  for (const other of await caches.keys()) {
    if (other.startsWith(`${folder} `) && other !== name) await caches.delete(other);
  }
  state.kept = true;
}

function addSlider({name, low, high}) {
  const label = document.createElement('label');
  label.className = 'row';
  const text = document.createElement('span');
  text.textContent = name;
  const slider = document.createElement('input');
  Object.assign(slider, {type: 'range', min: low, max: high, step: (high - low) / 200, name});
  slider.defaultValue = 0;
  label.append(text, slider);
  at('sliders').append(label);
}

/** Where a block of the latent asks for the landmarks, one that is dragged takes the block's numbers along. */
function letPointsBeDragged() {
  const {blocks} = facts.latent;
  const asking = blocks.findIndex(({shapes}) => shapes && shapes.mean.length === state.face?.landmarks.length);
  if (asking < 0) return;
  const first = blocks.slice(0, asking).reduce((sum, block) => sum + block.size, 0);
  const points = () => (at('landmarks').checked ? state.face.landmarks : []);
  at('hint').hidden = false;
  draggable(at('face'), points, (point) => {
    const [z, before] = [Float32Array.from(state.z), Float32Array.from(state.pulled)];
    return (x, y) => {
      const to = Float32Array.from(z);
      pull(blocks[asking].shapes, point, x, y).forEach((step, i) => { to[first + i] += step; });
      const kept = inside(facts.latent, to);
      state.pulled.forEach((_, j) => { state.pulled[j] = before[j] + kept[j] - z[j]; });
      draw();
    };
  });
}

function show(seed) {
  state.seed = seed;
  state.pulled.fill(0);
  at('between').value = 0;
  history.replaceState(null, '', `#${seed}`);
  return draw();
}

/** Draws what the controls say; calls that come while a face is being drawn become one. */
async function draw() {
  again = true;
  drawing ??= (async () => {
    while (again) {
      again = false;
      await drawOnce();
    }
  })().catch(fail).finally(() => { drawing = null; });
  return drawing;
}

/** The latent that a seed shows: of its clean faces the first, as `lmedge sample` takes it, or just its first. */
async function latentOf(seed) {
  const {latent, clean} = facts;
  if (!at('clean').checked) return drawLatent(latent, seed);
  for (let index = 0; !firsts.has(seed); index++) {
    const z = truncated(latent, drawLatent(latent, seed, index), clean.truncation);
    const sure = clean.min_confidence ? (await model.render(z)).confidence : 1;
    if (sure >= clean.min_confidence || index === TRIES - 1) firsts.set(seed, z);
  }
  return firsts.get(seed);
}

async function drawOnce() {
  const {latent} = facts;
  const [from, to] = [await latentOf(state.seed), await latentOf(state.seed + 1)];
  const amounts = [...at('sliders').querySelectorAll('input')].map((slider) => Number(slider.value));
  const directions = facts.controls.map((control) => control.direction);
  state.z = moved(latent, from, to, Number(at('between').value), [...directions, state.pulled], [...amounts, 1]);
  state.face = await model.render(state.z);
  times.push(state.face.ms);
  if (times.length > LAST) times.shift();
  paint();
  at('status').className = '';
  const median = [...times].sort((a, b) => a - b)[times.length >> 1];
  const sure = state.face.confidence === undefined ? '' : `, confidence ${state.face.confidence.toFixed(2)}`;
  at('status').textContent = `Face ${state.seed}: ${median.toFixed(1)} ms a face${sure}`;
}

/** The face as a picture of its own pixels. */
function picture() {
  const {width, height} = model;
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  const pixels = new ImageData(width, height);
  for (let i = 0, j = 0; j < state.face.image.length; i += 4, j += 3) {
    pixels.data.set(state.face.image.subarray(j, j + 3), i);
    pixels.data[i + 3] = 255;
  }
  canvas.getContext('2d').putImageData(pixels, 0, 0);
  return canvas;
}

function paint() {
  const canvas = at('canvas');
  canvas.width = DRAWN;
  canvas.height = Math.round((DRAWN * model.height) / model.width);
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture(), 0, 0, canvas.width, canvas.height);
  if (!at('landmarks').checked) return;
  const place = (i) => [state.face.landmarks[2 * i] * canvas.width, state.face.landmarks[2 * i + 1] * canvas.height];
  context.lineWidth = 1.5;
  context.strokeStyle = '#ffffffb0';
  for (const curve of facts.curves) {
    context.beginPath();
    for (const i of curve) context.lineTo(...place(i));
    context.stroke();
  }
  context.fillStyle = '#00e05a';
  for (let i = 0; i < state.face.landmarks.length / 2; i++) {
    context.globalAlpha = FAINTEST + (1 - FAINTEST) * Math.min(1, 2 * (state.face.pointConfidence?.[i] ?? 1));
    context.beginPath();
    context.arc(...place(i), 3, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
}

/** A 300-W .pts file: pixels of the saved picture, (1, 1) the centre of the first one. */
function points() {
  const {landmarks} = state.face;
  const lines = [];
  for (let i = 0; i < landmarks.length; i += 2) {
    lines.push(`${(landmarks[i] * model.width + 0.5).toFixed(3)} ${(landmarks[i + 1] * model.height + 0.5).toFixed(3)}`);
  }
  return `version: 1\nn_points: ${lines.length}\n{\n${lines.join('\n')}\n}\n`;
}

function savePicture() {
  picture().toBlob((blob) => save(blob, 'png'), 'image/png');
}

function savePoints() {
  save(new Blob([points()], {type: 'text/plain'}), 'pts');
}

function save(blob, suffix) {
  const url = URL.createObjectURL(blob);
  Object.assign(document.createElement('a'), {href: url, download: `face-${state.seed}.${suffix}`}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function fail(error) {
  at('status').className = 'error';
  at('status').textContent = error.message;
}

start().catch(fail);
