import { useReactFlow, useStoreApi } from "@xyflow/react";
import { type RefObject, useCallback, useEffect, useMemo, useRef } from "react";
import type { Place } from "../../../model/layout";
import type { LaidOut } from "./useLayout";

const MARGIN = 24;
const READABLE = 0.7;
/** A graph that would be drawn smaller than that is not shown as a whole at first. */
const LEAST_WHOLE = 0.12;

const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const glide = () => (isCalm() ? {} : { duration: 250 });

/** Moves what of a graph is in sight. */
export function useSight(laid: LaidOut | undefined, frame: RefObject<HTMLElement | null>) {
  const flow = useReactFlow();
  const store = useStoreApi();
  const places = useMemo(() => new Map(laid?.layout.places.map((place) => [place.id, place])), [laid]);
  const now = useRef({ places, laid });
  now.current = { places, laid };
  /** A box that is to stay where it is on the screen when the layout changes. */
  const held = useRef<{ path: string; x: number; y: number }>(undefined);
  /** A box that is to be shown as soon as it is there. */
  const awaited = useRef<string>(undefined);
  const isToFit = useRef(false);

  const fitAll = useCallback(() => {
    const { width = 0, height = 0 } = now.current.laid?.layout ?? {};
    const { clientWidth = 0, clientHeight = 0 } = frame.current ?? {};
    if (width === 0 || clientWidth === 0) {
      return;
    }
    const zoom = Math.min(1, (clientWidth - 2 * MARGIN) / width, (clientHeight - 2 * MARGIN) / height);
    const x = (clientWidth - width * zoom) / 2;
    // A graph that is lower than the frame begins at its top: what grows then grows downwards.
    const y = Math.min((clientHeight - height * zoom) / 2, 2 * MARGIN);
    void flow.setViewport({ x, y, zoom: Math.max(zoom, 0.02) });
  }, [flow, frame]);

  const centre = useCallback(
    (place: Place) => {
      const zoom = Math.max(flow.getZoom(), READABLE);
      // Of a group that is bigger than the frame its heading is shown.
      const height = Math.min(place.height, (frame.current?.clientHeight ?? 0) / zoom - 4 * MARGIN);
      void flow.setCenter(place.x + place.width / 2, place.y + height / 2, { zoom, ...glide() });
    },
    [flow, frame],
  );

  /** The first sight of a graph: all of it, or where that would be small what is selected, or what runs. */
  const begin = useCallback(
    (selected: string | undefined, running: string | undefined) => {
      fitAll();
      const zoom = flow.getZoom();
      const chosen = now.current.places.get(selected ?? "");
      const other = now.current.places.get(running ?? "") ?? now.current.laid?.layout.places[0];
      const place = zoom < READABLE / 2 ? (chosen ?? (zoom < LEAST_WHOLE ? other : undefined)) : undefined;
      if (place) {
        const x = (frame.current?.clientWidth ?? 0) / 2 - (place.x + place.width / 2) * READABLE;
        const y = (frame.current?.clientHeight ?? 0) / 3 - place.y * READABLE;
        void flow.setViewport({ x, y, zoom: READABLE });
      }
    },
    [flow, frame, fitAll],
  );

  const goTo = useCallback(
    (path: string) => {
      const place = now.current.places.get(path);
      if (place) {
        centre(place);
      } else {
        awaited.current = path;
      }
    },
    [centre],
  );

  /** Moves the graph only if a box is not in sight; one that is not there yet is shown as soon as it is. */
  const show = useCallback(
    (path: string) => {
      const place = now.current.places.get(path);
      const { transform, width, height } = store.getState();
      const [tx, ty, zoom] = transform;
      if (!place) {
        awaited.current = path;
        return;
      }
      if (width === 0) {
        return;
      }
      const [left, top] = [place.x * zoom + tx, place.y * zoom + ty];
      const bottom = top + Math.min(place.height * zoom, height / 2);
      if (left < 0 || top < 0 || left + place.width * zoom > width || bottom > height) {
        centre(place);
      }
    },
    [store, centre],
  );

  const hold = useCallback(
    (path: string) => {
      const place = now.current.places.get(path);
      if (place) {
        held.current = { path, ...flow.flowToScreenPosition({ x: place.x, y: place.y }) };
      }
    },
    [flow],
  );

  useEffect(() => {
    const anchor = held.current;
    const place = anchor && places.get(anchor.path);
    if (isToFit.current) {
      isToFit.current = false;
      fitAll();
    } else if (anchor && place) {
      const at = flow.flowToScreenPosition({ x: place.x, y: place.y });
      const { x, y, zoom } = flow.getViewport();
      void flow.setViewport({ x: x + anchor.x - at.x, y: y + anchor.y - at.y, zoom });
    }
    held.current = undefined;
    const wanted = awaited.current && places.get(awaited.current);
    if (wanted) {
      awaited.current = undefined;
      centre(wanted);
    }
  }, [places, flow, centre, fitAll]);

  const fitNext = useCallback(() => {
    isToFit.current = true;
  }, []);
  return useMemo(() => ({ begin, fitAll, fitNext, goTo, show, hold }), [begin, fitAll, fitNext, goTo, show, hold]);
}
