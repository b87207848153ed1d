import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { createExperiment } from "../../api/experiments";
import { useNamespace } from "../../app/namespace";
import { to } from "../../app/routes";
import { Button } from "../../design/Button";
import { Dialog } from "../../design/Dialog";
import { Field } from "../../design/Field";
import { Failed } from "../../design/Notice";
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
        <Field label="Name" required>
          {(ids) => <input {...ids} className="input" value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Description">
          {(ids) => (
            <input
              {...ids}
              className="input"
              value={description}
              onChange={(event) => setDescription(event.target.value)}
            />
          )}
        </Field>
        {making.isError && <Failed what="The experiment was not created" error={making.error} />}
      </div>
    </Dialog>
  );
}
