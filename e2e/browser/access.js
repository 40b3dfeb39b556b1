// What a page must be for those who do not see it, or not well, or use no
// mouse. Checked from the outside: by what Chromium tells assistive software
// (its accessibility tree), and by colours and sizes as they are computed.

/** problems gives what is wrong with a page as it stands, in words. */
export async function problems(page) {
  return [...await tree(page), ...await page.evaluate(looks)];
}

const controls = new Set(['button', 'link', 'textbox', 'searchbox', 'combobox', 'checkbox', 'dialog', 'image', 'heading', 'region', 'table', 'cell', 'columnheader']);
const mayBeNameless = new Set(['cell']);
const once = ['banner', 'main'];

/** tree looks at names, landmarks and headings. */
async function tree(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  const wrong = [];
  const seen = {};
  const modal = nodes.some((n) => !n.ignored && n.role?.value === 'dialog'); // then the rest is not to be reached
  let level = modal ? 1 : 0;
  for (const n of nodes) {
    if (n.ignored) continue;
    const role = n.role?.value ?? '';
    const name = n.name?.value ?? '';
    seen[role] = (seen[role] ?? 0) + 1;
    if (controls.has(role) && !mayBeNameless.has(role) && !name.trim()) wrong.push(`a ${role} has no name`);
    if (role === 'heading') {
      const l = n.properties?.find((p) => p.name === 'level')?.value?.value ?? 0;
      if (l > level + 1) wrong.push(`heading "${name}" of level ${l} follows one of level ${level}`);
      level = l;
    }
    if (n.properties?.some((p) => p.name === 'focusable' && p.value.value) && (role === 'generic' || role === 'none')) wrong.push(`something without a role takes the focus: ${name}`);
  }
  for (const role of once) if (!modal && seen[role] !== 1) wrong.push(`${seen[role] ?? 0} landmarks ${role}`);
  if (!modal && !seen.status) wrong.push('nothing is said aloud');
  return wrong;
}

/** looks runs inside the page: contrast (WCAG 2.2, 1.4.3 and 1.4.11), sizes (2.5.8), references. */
function looks() {
  const wrong = [];
  const parse = (c) => {
    const m = c.match(/rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)/);
    return m ? [Number(m[1]), Number(m[2]), Number(m[3]), m[4] === undefined ? 1 : Number(m[4])] : [0, 0, 0, 0];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const behind = (e) => {
    const all = [];
    for (let at = e; at; at = at.parentElement) all.push(parse(getComputedStyle(at).backgroundColor));
    return all.reverse().reduce((below, c) => over(c, below), [255, 255, 255, 1]);
  };
  const visible = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getBoundingClientRect().width > 1 && !e.closest('.unseen');
  const modal = document.querySelector('dialog:modal');
  const inside = (e) => !modal || modal.contains(e);
  const label = (e) => `${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ''}.${e.getAttribute('class') ?? ''} "${e.textContent.trim().slice(0, 30)}"`;

  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let t = walk.nextNode(); t; t = walk.nextNode()) {
    const e = t.parentElement;
    if (!t.data.trim() || !visible(e) || !inside(e) || e.closest(':disabled')) continue;
    const s = getComputedStyle(e);
    const back = behind(e);
    const ratio = contrast(over(parse(s.color), back), back);
    const large = parseFloat(s.fontSize) >= 24 || parseFloat(s.fontSize) >= 18.66 && Number(s.fontWeight) >= 700;
    if (ratio < (large ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)}: ${label(e)}`);
  }
  for (const e of document.querySelectorAll('button, select, input')) {
    if (!visible(e) || !inside(e) || e.disabled) continue;
    const r = e.getBoundingClientRect();
    if (e.scrollWidth > e.clientWidth) wrong.push(`sticks out: ${label(e)}`);
    if (r.height < 24 || r.width < 24) wrong.push(`${r.width.toFixed(0)} × ${r.height.toFixed(0)}: ${label(e)}`);
    if (e.placeholder && !e.value) {
      const ratio = contrast(parse(getComputedStyle(e, '::placeholder').color), behind(e));
      if (ratio < 4.5) wrong.push(`contrast ${ratio.toFixed(2)} of the placeholder: ${label(e)}`);
    }
    if (e.tagName !== 'BUTTON') {
      const ratio = contrast(parse(getComputedStyle(e).borderTopColor), behind(e.parentElement));
      if (ratio < 3) wrong.push(`contrast ${ratio.toFixed(2)} of the border: ${label(e)}`);
    }
  }
  for (const e of document.querySelectorAll('svg:not(.sprites)')) { // signs of states
    if (!visible(e) || !e.classList.length) continue;
    const ratio = contrast(parse(getComputedStyle(e).color), behind(e));
    if (ratio < 3) wrong.push(`contrast ${ratio.toFixed(2)} of the sign ${e.firstElementChild.getAttribute('href')}`);
  }
  for (const e of document.querySelectorAll('.seg')) {
    if (!visible(e)) continue;
    const s = getComputedStyle(e);
    const edge = parse(s.borderTopWidth !== '0px' ? s.borderTopColor : s.boxShadow !== 'none' ? s.boxShadow : s.backgroundColor);
    const ratio = contrast(over(edge, behind(e.parentElement)), behind(e.parentElement));
    if (ratio < 3) wrong.push(`contrast ${ratio.toFixed(2)} of a bar ${e.className}`);
  }
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of new Set(ids.filter((x, i) => ids.indexOf(x) !== i))) wrong.push(`id ${id} is there twice`);
  for (const name of ['aria-labelledby', 'aria-describedby', 'for']) {
    for (const e of document.querySelectorAll(`[${name}]`)) {
      for (const id of e.getAttribute(name).split(' ')) if (!document.getElementById(id)) wrong.push(`${name} of ${label(e)} names ${id}, which is not there`);
    }
  }
  if (!document.documentElement.lang || !document.title) wrong.push('no language or title');
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wrong.push('it scrolls sideways');
  return [...new Set(wrong)];
}

/** focusSeen says whether what has the focus shows it. */
export function focusSeen(page) {
  return page.evaluate(() => {
    const s = getComputedStyle(document.activeElement);
    return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
  });
}
