// Puts the outputs of a chapter into its page as they come; a page that is done has no script.
{
  const notice = document.querySelector(".state");
  const shown = {};
  const address = location.pathname.replace(/html$/, "outputs.json");
  const look = async () => {
    const news = await fetch(address, { cache: "no-store" }).then(r => r.json()).catch(() => ({}));
    for (const [cell, html] of Object.entries(news.cells ?? {})) {
      if (shown[cell] === html) continue;
      document.getElementById(`outputs-${cell}`).innerHTML = shown[cell] = html;
      dispatchEvent(new Event("resize")); // a box may scroll now, see book.js
    }
    if (news.state && shown.notice !== news.notice) notice.innerHTML = shown.notice = news.notice;
    notice.hidden = news.state === "done";
    if (!["done", "failed"].includes(news.state)) setTimeout(look, 700);
  };
  look();
}
