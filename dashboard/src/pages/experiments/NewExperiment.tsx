import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { createExperiment } from "../../api/experiments";
import { useNamespace } from "../../app/namespace";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Dialog } from "../../design/Dialog";
import { Failed } from "../../design/Notice";
import { TextField } from "../../design/TextField";
import style from "./Experiments.module.css";

export function NewExperiment({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const namespace = useNamespace();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const making = useMutation({
    mutationFn: () =>
      createExperiment({
        display_name: name.trim(),
        ...(description.trim() && { description: description.trim() }),
        ...(namespace && { namespace }),
      }),
    onSuccess: async (made) => {
      await client.invalidateQueries({ queryKey: ["experiments"] });
      onClose();
      void navigate(to.experiment(made.experiment_id));
    },
  });
  return (
    <Dialog
      title="New experiment"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" busy={making.isPending} disabled={name.trim() === ""} onClick={() => making.mutate()}>
            Create
          </Button>
        </>
      }
    >
      <div className={style.form}>
        <TextField label="Name" required value={name} onChange={setName} />
        <TextField label="Description" value={description} onChange={setDescription} />
        {making.isError && <Failed what="The experiment was not created" error={making.error} />}
      </div>
    </Dialog>
  );
}
