import { Page } from "../../design/Page";

export default function Home() {
  return <Page title="Home">TODO</Page>;
}
