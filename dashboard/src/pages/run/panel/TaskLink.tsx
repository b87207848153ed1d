import { Link } from "react-router";
import type { TreeNode } from "../../../api/penstock";
import { useAddressQuery } from "../../../app/query";
import { StatusMark } from "../../../design/StatusMark";
import { standingOfNode } from "../../../model/state";
import { showing } from "../view";
import style from "./Panel.module.css";

/** Leads to another task of the run, in the view that is shown; `whole` names it by its path. */
export function TaskLink({ node, path, whole = false }: { node?: TreeNode; path?: string; whole?: boolean }) {
  const [query] = useAddressQuery();
  const target = node?.path ?? path ?? "";
  const search = showing(query, target);
  return (
    <Link to={{ search: search.toString() }} className={style.taskLink} title={target}>
      {node && <StatusMark standing={standingOfNode(node)} bare />}
      <span className="ellipsis">{node && !whole ? labelOf(node) : target}</span>
    </Link>
  );
}

/** What a node is called among its siblings. */
export function labelOf(node: TreeNode): string {
  return node.iteration === undefined ? node.name : `Iteration ${node.iteration}`;
}
