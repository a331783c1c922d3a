// A model of a bundle in LiteRT.js: latent in, face and landmarks out.
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

// A function that returns a vector of 16 bytes: valid where there is WebAssembly SIMD.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);
let runtime;

/** The answer for a file of the page. Throws an Error with a sentence. */
export async function loaded(url) {
  const answer = await fetch(url).catch(() => ({status: 'no answer'}));
  if (!answer.ok) throw new Error(`${url} cannot be loaded (${answer.status}); copy the whole folder.`);
  return answer;
}

export class FaceModel {
  /** Loads `url` (a .tflite of a bundle); LiteRT.js is at `litert/`, beside this file. Throws an Error with a sentence. */
  static async load(url) {
    if (typeof WebAssembly !== 'object' || !WebAssembly.validate(SIMD)) {
      throw new Error('This browser has no WebAssembly SIMD; take a newer one (Chrome 91, Firefox 108, Safari 16.4).');
    }
    runtime ??= loadLiteRt(new URL('litert/', import.meta.url).pathname);
    await runtime;
    const answer = await loaded(url);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    try {
      return new FaceModel(await loadAndCompile(bytes, {accelerator: 'wasm'}));
    } catch (error) {
      console.error(error);
      throw new Error(`${url} cannot be run in a browser; take int8-qat, int8 or fp32, or copy the file again.`);
    }
  }

  constructor(model) {
    this.runner = model.signatures.sample;
    const [, height, width] = shapeOf(this.runner.getOutputDetails(), 'image');
    this.size = shapeOf(this.runner.getInputDetails(), 'z')[1];
    Object.assign(this, {width, height});
  }

  /** z Float32Array [Z] -> {image: Uint8Array [H * W * 3] RGB, landmarks: Float32Array [K * 2] 0..1, confidence,
   * pointConfidence: Float32Array [K], ms}; the confidences are undefined where the model has none. */
  async render(z) {
    if (z.length !== this.size) {
      throw new Error(`A latent of ${z.length} numbers is not one of ${this.size}, as this model takes.`);
    }
    const start = performance.now();
    const input = new Tensor(z, [1, this.size]);
    const outputs = await this.runner.run({z: input});
    const read = (name) => outputs[name]?.toTypedArray().slice();
    const face = {
      image: read('image'), landmarks: read('landmarks'), confidence: read('confidence')?.[0],
      pointConfidence: read('point_confidence'),
    };
    face.ms = performance.now() - start;
    for (const tensor of [input, ...Object.values(outputs)]) tensor.delete();
    return face;
  }
}

function shapeOf(details, name) {
  const detail = details.find((entry) => entry.name === name);
  if (!detail) throw new Error(`The model has no ${name}; it is not a face model of lmedge.`);
  return Array.from(detail.shape);
}
