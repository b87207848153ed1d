import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { head } from "../api/artifacts";
import { part } from "../app/part";
import { Button } from "../design/Button";
import { Failed, Loading } from "../design/Notice";
import { bytes } from "../model/bytes";
import { imageType, kindOfBytes, type PreviewKind } from "../model/preview";
import { Html } from "./Html";
import { Picture } from "./Picture";
import style from "./Preview.module.css";
import { Text } from "./Text";

const JsonTree = part(() => import("./JsonTree"));
const Markdown = part(() => import("./Markdown"));
const Table = part(() => import("./Table"));

const SMALL = 1 << 20;
const LARGE = 16 << 20;

interface Props {
  id: string;
  name: string;
  kind: PreviewKind;
  size: number | undefined;
  /** Of a file in an artifact that is a directory. */
  path?: string;
}

/** A file: as much of it as is small, and more when it is asked for. */
export function Content({ id, name, kind, size, path }: Props) {
  const [limit, setLimit] = useState(SMALL);
  const query = path === undefined ? {} : { path };
  const begin = useQuery({
    queryKey: ["content", id, path ?? "", limit],
    queryFn: ({ signal }) => head(id, limit, query, signal),
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
    retry: false,
    enabled: kind !== "html",
  });
  if (kind === "html") {
    return <Html id={id} name={name} path={path} />;
  }
  if (begin.isPending) {
    return <Loading what="Reading the artifact" />;
  }
  if (begin.isError) {
    return <Failed what="It cannot be shown" error={begin.error} onRetry={() => void begin.refetch()} />;
  }
  const { bytes: content, isWhole } = begin.data;
  const known = kind === "unknown" ? kindOfBytes(content) : kind;
  const more = !isWhole && limit < LARGE && ["text", "json", "markdown"].includes(known);
  return (
    <>
      <Shown {...{ id, name, path, size, content, isWhole }} kind={known} />
      {!isWhole && known !== "image" && known !== "table" && known !== "binary" && (
        <p className={style.note}>
          These are the first {bytes(content.length)}
          {size !== undefined && ` of ${bytes(size)}`}.{" "}
          {more && (
            <Button kind="quiet" busy={begin.isPlaceholderData} onClick={() => setLimit(LARGE)}>
              Show up to {bytes(LARGE)}
            </Button>
          )}
        </p>
      )}
    </>
  );
}

interface ShownProps {
  id: string;
  name: string;
  path: string | undefined;
  size: number | undefined;
  kind: PreviewKind;
  content: Uint8Array;
  isWhole: boolean;
}

function Shown({ id, name, path, size, kind, content, isWhole }: ShownProps) {
  if (content.length === 0) {
    return <p className="soft">It is empty.</p>;
  }
  switch (kind) {
    case "image": {
      const type = imageType(content);
      return type ? <Picture {...{ id, name, path, size, type }} /> : <Binary size={size} />;
    }
    case "table":
      return <Table {...{ id, path, content, isWhole }} />;
    case "json":
      return <JsonTree text={decoded(content)} isWhole={isWhole} />;
    case "markdown":
      return <Markdown text={decoded(content)} />;
    case "text":
      return <Text text={decoded(content)} />;
    default:
      return <Binary size={size} />;
  }
}

const decoded = (content: Uint8Array) => new TextDecoder().decode(content);

function Binary({ size }: { size: number | undefined }) {
  return <p className="soft">It is not text{size !== undefined && ` (${bytes(size)})`}: download it to look at it.</p>;
}
