import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import type { Json } from "../../../api/kfp";
import type { TreeNode } from "../../../api/penstock";
import { type CacheDifference, type CacheSource, type CacheVerdict, cacheQuery } from "../../../api/tasks";
import { useAddressQuery } from "../../../app/query";
import { to } from "../../../app/routes";
import { Copy } from "../../../design/Copy";
import { Moment } from "../../../design/Moment";
import { Failed, Loading } from "../../../design/Notice";
import { useRunView } from "../view";
import { differenceWords, fieldWords } from "./cacheWords";
import style from "./Panel.module.css";

const OUTCOMES: Record<CacheVerdict["outcome"], string> = {
  HIT: "Taken from the cache",
  MISS: "Not taken from the cache",
  OFF: "The cache was not used",
  NOT_ASKED: "The cache was not asked",
};

/** Why a task's result came from the cache, or did not. */
export function CacheCard({ node }: { node: TreeNode }) {
  const { runId } = useRunView();
  const verdict = useQuery(cacheQuery(runId, node.task_id));
  return (
    <section className={style.section}>
      <h3>Cache</h3>
      {verdict.isPending && <Loading />}
      {verdict.isError && <Failed what="The cache cannot be asked" error={verdict.error} />}
      {verdict.data && <Verdict verdict={verdict.data} />}
    </section>
  );
}

const SHOWN = 3;

/** In a sentence or two why a task ran although the cache may have had something for it; nothing while it is read. */
export function CacheBrief({ node }: { node: TreeNode }) {
  const { runId } = useRunView();
  const verdict = useQuery(cacheQuery(runId, node.task_id)).data;
  const [query] = useAddressQuery();
  if (!verdict || verdict.outcome === "HIT" || verdict.outcome === "NOT_ASKED") {
    return null;
  }
  const { outcome, reason, nearest } = verdict;
  const differences = nearest?.differences ?? [];
  const more = differences.length - SHOWN;
  const details = new URLSearchParams(query);
  details.set("tab", "details");
  return (
    <section className={style.section}>
      <h3>Cache</h3>
      <p>
        {OUTCOMES[outcome]}: {reason}.
      </p>
      {differences.length > 0 && (
        <>
          <p>Of the nearest earlier result it differs in:</p>
          <ul className={style.differs}>
            {differences.slice(0, SHOWN).map((it) => (
              <li key={it.field}>{differenceWords(it)}</li>
            ))}
            {more > 0 && <li className="soft">and {more} more</li>}
          </ul>
        </>
      )}
      {nearest && (
        <p>
          <Link to={{ search: details.toString() }}>Compare the keys</Link>
        </p>
      )}
    </section>
  );
}

function Verdict({ verdict }: { verdict: CacheVerdict }) {
  const { outcome, reason, cache_key: key, source, passed_over: passed, nearest, stored } = verdict;
  const differences = nearest?.differences ?? [];
  return (
    <>
      <p>
        <strong>{OUTCOMES[outcome]}</strong>: {reason}.
      </p>
      <dl className="definitions">
        {key && (
          <>
            <dt>Key</dt>
            <dd className={style.copied}>
              <span className="mono ellipsis">{key}</span>
              <Copy what="the key" text={key} />
            </dd>
          </>
        )}
        {source && <Earlier name="Result of" source={source} />}
        {passed && <Earlier name="Passed over" source={passed} />}
        {nearest && <Earlier name="Nearest result" source={nearest} />}
        {outcome === "MISS" && stored !== undefined && (
          <>
            <dt>For later runs</dt>
            <dd>{stored ? "Its own result is in the cache" : "Its own result is not in the cache"}</dd>
          </>
        )}
      </dl>
      {nearest && differences.length === 0 && <p className="soft">Another version of Penstock made that key.</p>}
      {differences.length > 0 && <Differences differences={differences} />}
    </>
  );
}

function Earlier({ name, source }: { name: string; source: CacheSource }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <Link to={to.task(source.run_id, source.task_path)}>{source.task_path}</Link>
        {source.created_at && (
          <span className="soft">
            {", "}
            <Moment at={source.created_at} />
          </span>
        )}
      </dd>
    </>
  );
}

function Differences({ differences }: { differences: CacheDifference[] }) {
  return (
    <div className={style.scrolled}>
      <table className={style.differences}>
        <caption>What differs in the key</caption>
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Then</th>
            <th scope="col">Now</th>
          </tr>
        </thead>
        <tbody>
          {differences.map(({ field, then, now }) => (
            <tr key={field}>
              <th scope="row" title={field}>
                {fieldWords(field)}
              </th>
              <td>{shown(then)}</td>
              <td>{shown(now)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const LONGEST = 400;

function shown(value: Json | undefined) {
  if (value === undefined) {
    return <span className="soft">absent</span>;
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return <code title={text.slice(0, 4000)}>{text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}</code>;
}
