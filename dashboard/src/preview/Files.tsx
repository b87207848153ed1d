import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { contentUrl } from "../api/artifacts";
import { filesQuery } from "../api/tasks";
import { Button } from "../design/Button";
import { Icon } from "../design/Icon";
import { Failed, Loading } from "../design/Notice";
import { bytes } from "../model/bytes";
import { kindOfName } from "../model/preview";
import { Content } from "./Content";
import style from "./Preview.module.css";

/** The files of an artifact that is a directory; each can be looked at. */
export default function Files({ id }: { id: string }) {
  const pages = useInfiniteQuery(filesQuery(id));
  const [shown, show] = useState<string>();
  if (pages.isPending) {
    return <Loading what="Listing the files" />;
  }
  if (pages.isError) {
    return <Failed what="The files cannot be listed" error={pages.error} onRetry={() => void pages.refetch()} />;
  }
  const files = pages.data.pages.flatMap((page) => page.files ?? []);
  if (files.length === 0) {
    return <p className="soft">It is an empty directory.</p>;
  }
  return (
    <div className={style.stack}>
      <ul className={style.files}>
        {files.map(({ path, size }) => (
          <li key={path}>
            <div className={style.file}>
              <button
                type="button"
                className={style.fileName}
                aria-expanded={shown === path}
                onClick={() => show(shown === path ? undefined : path)}
              >
                {path}
              </button>
              <span className="soft small number">{size === undefined ? "" : bytes(Number(size))}</span>
              <a
                href={contentUrl(id, { path, download: true })}
                download
                aria-label={`Download ${path}`}
                title="Download"
              >
                <Icon name="download" />
              </a>
            </div>
            {shown === path && (
              <div className={style.inner}>
                <Content
                  id={id}
                  name={path}
                  path={path}
                  kind={kindOfName(path)}
                  size={size === undefined ? undefined : Number(size)}
                />
              </div>
            )}
          </li>
        ))}
      </ul>
      {pages.hasNextPage && (
        <div>
          <Button kind="quiet" busy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
    </div>
  );
}
