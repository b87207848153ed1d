/** Lays out big graphs beside the page, which goes on answering. */
import { type Direction, type Inside, layOut } from "./layout";

export interface LayoutAsked {
  id: number;
  inside: Inside;
  direction: Direction;
}

self.onmessage = ({ data }: MessageEvent<LayoutAsked>) => {
  self.postMessage({ id: data.id, layout: layOut(data.inside, data.direction) });
};
