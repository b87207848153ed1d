import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import type { Pipeline, PipelineVersion } from "../../api/kfp";
import { deletePipeline, deleteVersion, tagPipeline, tagVersion } from "../../api/pipelineChanges";
import { to } from "../../app/routes";
import { Confirm } from "../../design/Confirm";
import { EditTags } from "./EditTags";
import { Upload } from "./Upload";

export type Asked = "upload" | "delete" | "delete version" | "tags" | "version tags";

/** What is asked before something of a pipeline is changed. */
export function Dialogs({
  open,
  file,
  pipeline,
  version,
  onClose,
}: {
  open: Asked | undefined;
  /** What was dropped. */
  file: File | undefined;
  pipeline: Partial<Pipeline> & Pick<Pipeline, "pipeline_id">;
  version: PipelineVersion | undefined;
  onClose: () => void;
}) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const id = pipeline.pipeline_id;
  switch (open) {
    case "upload":
      return <Upload first={file} pipelineId={id} onClose={onClose} />;
    case "tags":
      return (
        <EditTags
          title="Tags of the pipeline"
          tags={pipeline.tags}
          store={(tags) => tagPipeline(id, tags)}
          onClose={onClose}
        />
      );
    case "delete":
      return (
        <Confirm
          title={`Delete ${pipeline.display_name ?? "the pipeline"}?`}
          action="Delete"
          perform={async () => {
            await deletePipeline(id);
            void navigate(to.pipelines);
          }}
          onClose={onClose}
        >
          It goes with all its versions. Runs that were made of it stay.
        </Confirm>
      );
  }
  if (!version) {
    return null;
  }
  const { pipeline_version_id: shown, display_name: name, tags } = version;
  switch (open) {
    case "version tags":
      return (
        <EditTags
          title={`Tags of the version ${name}`}
          tags={tags}
          store={(tags) => tagVersion(id, shown, tags)}
          onClose={onClose}
        />
      );
    case "delete version":
      return (
        <Confirm
          title={`Delete the version ${name}?`}
          action="Delete"
          perform={async () => {
            await deleteVersion(id, shown);
            await client.invalidateQueries({ queryKey: ["pipelines", id, "versions"], exact: true });
            void navigate(to.pipeline(id));
          }}
          onClose={onClose}
        >
          Runs that were made of it stay; schedules that name it can make no more.
        </Confirm>
      );
  }
  return null;
}
