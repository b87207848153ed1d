import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Json } from "../api/kfp";
import { tableQuery } from "../api/tasks";
import { Button } from "../design/Button";
import { Failed, Loading } from "../design/Notice";
import { figure } from "../model/figure";
import { tableOf } from "../model/preview";
import style from "./Preview.module.css";
import { Text } from "./Text";

const FIRST = 100;
const MOST = 1000;
const WIDEST = 200;

interface Props {
  id: string;
  path: string | undefined;
  /** Its first bytes. */
  content: Uint8Array;
  isWhole: boolean;
}

/** The first rows of a table: as the server reads it, or as its first bytes say. */
export default function Table({ id, path, content, isWhole }: Props) {
  const [limit, setLimit] = useState(FIRST);
  const table = useQuery({ ...tableQuery(id, path, limit), placeholderData: keepPreviousData, retry: false });
  if (table.isPending) {
    return <Loading what="Reading the table" />;
  }
  if (table.data) {
    const { columns, rows, total_rows: total, truncated } = table.data;
    const more = (truncated || (total ?? 0) > rows.length) && limit < MOST;
    return (
      <Rows columns={columns} rows={rows} total={total} isAll={!truncated && (total ?? rows.length) <= rows.length}>
        {more && (
          <Button kind="quiet" busy={table.isPlaceholderData} onClick={() => setLimit(MOST)}>
            Show up to {MOST.toLocaleString("en")}
          </Button>
        )}
      </Rows>
    );
  }
  const text = new TextDecoder().decode(content);
  const own = content.includes(0) ? undefined : tableOf(text, isWhole, MOST);
  if (own) {
    return (
      <Rows columns={own.columns.map((name) => ({ name }))} rows={own.rows} isAll={isWhole && own.rows.length < MOST} />
    );
  }
  return content.includes(0) ? <Failed what="The table cannot be shown" error={table.error} /> : <Text text={text} />;
}

function Rows({
  columns,
  rows,
  total,
  isAll,
  children,
}: {
  columns: { name: string; type?: string; note?: string }[];
  rows: Json[][];
  total?: number | undefined;
  isAll: boolean;
  children?: React.ReactNode;
}) {
  const shown = columns.slice(0, WIDEST);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what has the focus */}
      <section className={style.bounded} aria-label="Rows" tabIndex={0}>
        <table className={style.table}>
          <thead>
            <tr>
              {shown.map(({ name, type, note }, place) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: columns may be of one name
                <th key={place} scope="col">
                  {name}
                  {type && <span className={style.type}>{type}</span>}
                  {note && <span className={style.unread}>Not shown: {note}</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a row has its place
              <tr key={place}>
                {shown.map((_, column) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a cell has its place
                  <Cell key={column} value={row[column]} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p className={style.note}>
        {isAll ? "" : "The first "}
        {rows.length.toLocaleString("en")} {rows.length === 1 ? "row" : "rows"}
        {!isAll && total !== undefined && ` of ${total.toLocaleString("en")}`}
        {columns.length > WIDEST && `, and ${WIDEST} of ${columns.length.toLocaleString("en")} columns`}. {children}
      </p>
    </>
  );
}

function Cell({ value }: { value: Json | undefined }) {
  if (value === null || value === undefined) {
    return <td className="soft">–</td>;
  }
  const text = figure(value);
  return (
    <td
      className={typeof value === "number" ? style.figure : undefined}
      title={text.length > 60 ? text.slice(0, 2000) : undefined}
    >
      {text.length > 300 ? `${text.slice(0, 300)}…` : text}
    </td>
  );
}
