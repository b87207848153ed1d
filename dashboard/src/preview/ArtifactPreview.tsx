import type { Artifact } from "../api/penstock";

export default function ArtifactPreview({ artifact }: { artifact: Artifact }) {
  return <div>{artifact.name}</div>;
}
