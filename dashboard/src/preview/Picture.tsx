import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { head } from "../api/artifacts";
import { Button } from "../design/Button";
import { Failed, Loading } from "../design/Notice";
import { bytes } from "../model/bytes";
import style from "./Preview.module.css";

const UNASKED = 20 << 20;
const LARGEST = 200 << 20;

interface Props {
  id: string;
  name: string;
  path: string | undefined;
  size: number | undefined;
  type: string;
}

/** An image, of whatever name: its bytes say what it is. As an image an SVG runs and loads nothing. */
export function Picture({ id, name, path, size, type }: Props) {
  const [isWanted, setWanted] = useState(size === undefined || size <= UNASKED);
  const limit = isWanted && size !== undefined ? Math.min(Math.max(size, 1), LARGEST) : UNASKED;
  const image = useQuery({
    queryKey: ["content", id, "image", path ?? "", limit],
    queryFn: ({ signal }) => head(id, limit, path === undefined ? {} : { path }, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
    enabled: isWanted,
  });
  const [address, setAddress] = useState<string>();
  const content = image.data?.bytes;
  useEffect(() => {
    if (!content) {
      return;
    }
    const made = URL.createObjectURL(new Blob([content as Uint8Array<ArrayBuffer>], { type }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [content, type]);
  if (!isWanted) {
    return (
      <Button icon="download" onClick={() => setWanted(true)}>
        Show the image ({bytes(size ?? 0)})
      </Button>
    );
  }
  if (image.isError) {
    return <Failed what="The image cannot be shown" error={image.error} onRetry={() => void image.refetch()} />;
  }
  if (!address) {
    return <Loading what="Loading the image" />;
  }
  return (
    <>
      <img className={style.picture} src={address} alt={name} />
      {image.data && !image.data.isWhole && <p className={style.note}>The image is too large to be shown whole.</p>}
    </>
  );
}
