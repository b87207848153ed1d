import { type DragEvent, type ReactNode, useState } from "react";
import { Icon } from "../../design/Icon";
import style from "./Pipelines.module.css";

/** A place on which a file may be dropped. */
export function DropZone({ onFile, children }: { onFile: (file: File) => void; children: ReactNode }) {
  const [isOver, setIsOver] = useState(false);
  const isFile = (event: DragEvent) => event.dataTransfer.types.includes("Files");
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a button on the page does the same
    <div
      className={style.zone}
      onDragOver={(event) => {
        if (isFile(event)) {
          event.preventDefault();
          setIsOver(true);
        }
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) {
          setIsOver(false);
        }
      }}
      onDrop={(event) => {
        event.preventDefault();
        setIsOver(false);
        const file = event.dataTransfer.files[0];
        if (file) {
          onFile(file);
        }
      }}
    >
      {children}
      {isOver && (
        <div className={style.over}>
          <Icon name="upload" size={28} />
          Drop it to upload it
        </div>
      )}
    </div>
  );
}
