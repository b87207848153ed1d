import { Link } from "react-router";
import type { TreeNode } from "../../../api/penstock";
import { useAddressQuery } from "../../../app/query";
import { StatusMark } from "../../../design/StatusMark";
import { standingOfNode } from "../../../model/state";
import style from "./Panel.module.css";

/** Leads to another task of the run, in the view that is shown. */
export function TaskLink({ node, path }: { node?: TreeNode; path?: string }) {
  const [query] = useAddressQuery();
  const target = node?.path ?? path ?? "";
  const search = new URLSearchParams(query);
  search.set("task", target);
  search.delete("tab");
  search.delete("attempt");
  return (
    <Link to={{ search: search.toString() }} className={style.taskLink} title={target}>
      {node && <StatusMark standing={standingOfNode(node)} bare />}
      <span className="ellipsis">{node ? labelOf(node) : target}</span>
    </Link>
  );
}

/** What a node is called among its siblings. */
export function labelOf(node: TreeNode): string {
  return node.iteration === undefined ? node.name : `Iteration ${node.iteration}`;
}
