let warm = false;

/** Fetch the player's modules while the visitor still reads, so that play is one step away. */
export function warmPlayer() {
  if (warm) return;
  warm = true;
  for (const url of ["shaka-player", "media-chrome"]) {
    const link = document.createElement("link");
    link.rel = "modulepreload";
    link.href = import.meta.resolve(url);
    document.head.append(link);
  }
  void import("../pages/watch.js");
}
