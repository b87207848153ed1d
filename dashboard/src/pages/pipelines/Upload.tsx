import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { uploadPipeline, uploadVersion } from "../../api/pipelines";
import { useNamespace } from "../../app/namespace";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Dialog } from "../../design/Dialog";
import { Field } from "../../design/Field";
import { Failed } from "../../design/Notice";
import { TextField } from "../../design/TextField";
import { bytes } from "../../model/bytes";
import style from "./Pipelines.module.css";

/** The server's limit of a package. */
const LARGEST = 32 * 1024 * 1024;

function nameOf(file: File): string {
  return file.name.replace(/\.(ya?ml|json|zip|tar\.gz|tgz)$/i, "");
}

/** Sends a compiled pipeline to the server: a new pipeline, or a new version of one. */
export function Upload({
  first,
  pipelineId,
  onClose,
}: {
  first?: File | undefined;
  pipelineId?: string;
  onClose: () => void;
}) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const namespace = useNamespace();
  const [file, setFile] = useState(first);
  const [name, setName] = useState(first && !pipelineId ? nameOf(first) : "");
  const [description, setDescription] = useState("");
  const tooLarge = file && file.size > LARGEST;
  const sending = useMutation({
    mutationFn: async (file: File) => {
      const words = { file, description: description.trim(), name: name.trim() };
      if (pipelineId) {
        const version = await uploadVersion(pipelineId, words);
        return to.version(pipelineId, version.pipeline_version_id);
      }
      return to.pipeline((await uploadPipeline({ ...words, namespace })).pipeline_id);
    },
    onSuccess: async (place) => {
      await client.invalidateQueries({ queryKey: ["pipelines"] });
      onClose();
      void navigate(place);
    },
  });
  return (
    <Dialog
      title={pipelineId ? "New version" : "Upload a pipeline"}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            icon="upload"
            busy={sending.isPending}
            disabled={!file || tooLarge || (!pipelineId && name.trim() === "")}
            onClick={() => file && sending.mutate(file)}
          >
            Upload
          </Button>
        </>
      }
    >
      <div className={style.form}>
        <Field
          label="File"
          hint="What the kfp compiler wrote: .yaml or .json, or packed as .zip or .tar.gz."
          error={tooLarge ? `It has ${bytes(file.size)}; at most ${bytes(LARGEST)} are taken.` : undefined}
          required
        >
          {(ids) => (
            <>
              {file && file === first && <p>{file.name}</p>}
              <input
                {...ids}
                className="input"
                type="file"
                accept=".yaml,.yml,.json,.zip,.gz,.tgz"
                onChange={(event) => {
                  const chosen = event.target.files?.[0];
                  setFile(chosen);
                  if (chosen && name === "" && !pipelineId) {
                    setName(nameOf(chosen));
                  }
                }}
              />
            </>
          )}
        </Field>
        <Field
          label="Name"
          required={!pipelineId}
          hint={pipelineId ? "Of the version; the server gives one if it is left out." : undefined}
        >
          {(ids) => <input {...ids} className="input" value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <TextField label="Description" value={description} onChange={setDescription} />
        {sending.isError && <Failed what="The pipeline was not taken" error={sending.error} />}
      </div>
    </Dialog>
  );
}
