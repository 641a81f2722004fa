"""What makes a page legible: contrast (WCAG 2.2, 1.4.3) and nothing cut off (1.4.10)."""

from playwright.sync_api import Locator

MIN_CONTRAST = 4.5  # for text of ordinary size, level AA

# Every element with text of its own, its colour and the colour behind it, both as they come out.
_CONTRASTS = """root => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.map((c, i) => i < 3 ? c * top[3] + under[i] * (1 - top[3]) : 1);
  const behind = element => {
    if (!element) return [255, 255, 255, 1];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(element.parentElement));
  };
  const luminance = colour => {
    const [r, g, b] = colour.slice(0, 3).map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = [root, ...root.querySelectorAll('*')].filter(element =>
    element.checkVisibility() &&
    [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
  return texts.map(element => {
    const ground = behind(element);
    const [light, dark] = [over(rgba(getComputedStyle(element).color), ground), ground]
      .map(luminance).sort((a, b) => b - a);
    return [element.textContent.trim().slice(0, 60), (light + 0.05) / (dark + 0.05)];
  });
}"""

_CUT_OFF = """root => {
  const cell = root.closest('.jp-OutputArea-output').getBoundingClientRect();
  const right = Math.min(cell.right, innerWidth) + 1;
  return [root, ...root.querySelectorAll('*')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline'
              || e.getBoundingClientRect().right > right)
    .map(e => e.outerHTML.slice(0, 200));
}"""


def contrasts(shown: Locator) -> list[tuple[str, float]]:
    """Return every piece of visible text inside an element with its contrast, 1 to 21."""
    return [(text, ratio) for text, ratio in shown.evaluate(_CONTRASTS)]


def cut_off(shown: Locator) -> list[str]:
    """Return the elements that do not fit the width that there is."""
    return shown.evaluate(_CUT_OFF)
