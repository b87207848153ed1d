import { useRunView } from "../view";

export default function Graph() {
  const { tree } = useRunView();
  return (
    <ul>
      {tree.nodes.map((node) => (
        <li key={node.node}>{node.path}</li>
      ))}
    </ul>
  );
}
