import { useStoreApi } from "@xyflow/react";
import { useEffect, useState } from "react";
import { areMarks, distanceAt } from "../../../model/graphSight";

/** How long nobody zooms before marks that came near become elements: that takes longer than a frame. */
const SETTLED_MS = 120;

/** Whether the boxes of a graph of so many are marks in a picture at present. */
export function useIsOfMarks(count: number): boolean {
  const store = useStoreApi();
  const [isOfMarks, set] = useState(() => areMarks(distanceAt(store.getState().transform[2]), count));
  useEffect(() => {
    let before: number | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      const zoom = store.getState().transform[2];
      if (zoom === before) {
        return;
      }
      before = zoom;
      clearTimeout(timer);
      if (areMarks(distanceAt(zoom), count)) {
        set(true);
      } else {
        timer = setTimeout(() => set(false), SETTLED_MS);
      }
    };
    look();
    const stop = store.subscribe(look);
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [store, count]);
  return isOfMarks;
}
