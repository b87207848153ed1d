import type { PipelineSpec } from "../../../api/penstock";

export default function PipelineGraph({ spec }: { spec: PipelineSpec }) {
  return <div>{spec.pipelineInfo.name}</div>;
}
