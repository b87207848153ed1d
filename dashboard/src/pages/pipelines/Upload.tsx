import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { uploadPipeline, uploadVersion } from "../../api/pipelineChanges";
import { useNamespace } from "../../app/namespace";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Dialog } from "../../design/Dialog";
import { Field } from "../../design/Field";
import { Failed } from "../../design/Notice";
import { TextField } from "../../design/TextField";
import { bytes } from "../../model/bytes";
import style from "./Pipelines.module.css";
import { TagFields } from "./TagFields";
import { type TagRow, tagsOf } from "./tags";

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
  const [rows, setRows] = useState<readonly TagRow[]>([]);
  const read = tagsOf(rows);
  const tooLarge = file && file.size > LARGEST;
  const sending = useMutation({
    mutationFn: async (file: File) => {
      const tags = "tags" in read ? read.tags : {};
      const words = { file, description: description.trim(), name: name.trim(), tags };
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
  const choose = (chosen: File) => {
    setFile(chosen);
    if (name === "" && !pipelineId) {
      setName(nameOf(chosen));
    }
  };
  // Another file may be dropped on the page while this is open.
  const [dropped, setDropped] = useState(first);
  if (first !== dropped) {
    setDropped(first);
    if (first) {
      choose(first);
    }
  }
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
            disabled={!file || tooLarge || "reason" in read || (!pipelineId && name.trim() === "")}
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
          hint="What the kfp compiler wrote: .yaml or .json, or packed as .zip or .tar.gz. It may be dropped here."
          error={tooLarge ? `It has ${bytes(file.size)}; at most ${bytes(LARGEST)} are taken.` : undefined}
          required
        >
          {(ids) => <FileInput ids={ids} file={file} onChoose={choose} />}
        </Field>
        <Field
          label="Name"
          required={!pipelineId}
          hint={pipelineId ? "Of the version; the server gives one if it is left out." : undefined}
        >
          {(ids) => <input {...ids} className="input" value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <TextField label="Description" value={description} onChange={setDescription} />
        <TagFields rows={rows} onChange={setRows} />
        {"reason" in read && <p role="alert">{read.reason}</p>}
        {sending.isError && <Failed what="The pipeline was not taken" error={sending.error} />}
      </div>
    </Dialog>
  );
}

/** The browser's own control, which also says which file it is, however that came. */
function FileInput({
  ids,
  file,
  onChoose,
}: {
  ids: { id: string };
  file: File | undefined;
  onChoose: (file: File) => void;
}) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const element = input.current;
    if (element && file && element.files?.[0] !== file) {
      const list = new DataTransfer();
      list.items.add(file);
      element.files = list.files;
    }
  }, [file]);
  return (
    <input
      {...ids}
      ref={input}
      className="input"
      type="file"
      accept=".yaml,.yml,.json,.zip,.gz,.tgz"
      onChange={(event) => {
        const chosen = event.target.files?.[0];
        if (chosen) {
          onChoose(chosen);
        }
      }}
    />
  );
}
