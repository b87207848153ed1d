import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../../design/Button";
import { Dialog } from "../../design/Dialog";
import { Failed } from "../../design/Notice";
import style from "./Pipelines.module.css";
import { TagFields } from "./TagFields";
import { rowsOf, type TagRow, tagsOf } from "./tags";

/** Changes the tags of a pipeline or of a version. */
export function EditTags({
  title,
  tags,
  store,
  onClose,
}: {
  title: string;
  tags: Record<string, string> | undefined;
  store: (tags: Record<string, string>) => Promise<unknown>;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const [rows, setRows] = useState<readonly TagRow[]>(() => rowsOf(tags));
  const read = tagsOf(rows);
  const storing = useMutation({
    mutationFn: store,
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["pipelines"] });
      onClose();
    },
  });
  return (
    <Dialog
      title={title}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            busy={storing.isPending}
            disabled={"reason" in read}
            onClick={() => "tags" in read && storing.mutate(read.tags)}
          >
            Save
          </Button>
        </>
      }
    >
      <div className={style.form}>
        <TagFields rows={rows} onChange={setRows} />
        {"reason" in read && <p role="alert">{read.reason}</p>}
        {storing.isError && <Failed what="The tags were not changed" error={storing.error} />}
      </div>
    </Dialog>
  );
}
