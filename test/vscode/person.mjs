// Someone at the keyboard: installs the packaged extension into a real VS Code, opens an example, presses F5, ticks a VM-exit breakpoint with a
// condition, looks at the stack, the VMCS and a hover. Screenshots go to out/vscode; UPDATE=1 renews the README's picture.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/bundles.mjs';
import { openBrowser } from '../../scripts/vscode/browser.mjs';
import { folderUrl, startServer } from '../../scripts/vscode/server.mjs';

const out = process.env.NESTSCOPE_OUT ?? join(root, 'out/vscode');
const examples = process.env.NESTSCOPE_EXAMPLES ?? join(root, 'examples');
const counts = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
const patience = 20_000;

mkdirSync(out, { recursive: true });
const vsix = join(out, 'nestscope.vsix');
const packed = spawnSync(process.execPath, [join(root, 'scripts/package.mjs'), vsix], { cwd: root, encoding: 'utf8' });
if (packed.status !== 0) throw new Error(`the package could not be made: ${packed.stdout}${packed.stderr}`);

const server = await startServer({
  vsix,
  settings: {
    'workbench.colorTheme': 'Default Dark Modern',
    'window.zoomLevel': 0,
    'editor.fontSize': 13,
    'debug.toolBarLocation': 'docked',
  },
});
const browser = await openBrowser();
const page = await (await browser.newContext({ viewport: { width: 1600, height: 1000 } })).newPage();
const shot = (name) => page.screenshot({ path: join(out, `${name}.png`) });

/** One thing that the person does and sees; the next ones make no sense when it fails. */
async function does(what, act) {
  const name = `person ${what}`;
  const started = Date.now();
  try {
    await act();
    counts.passed++;
    console.log(`    ok  ${name}  ${Date.now() - started} ms`);
  } catch (error) {
    counts.failed++;
    counts.failures.push(name);
    await shot('person-failed').catch(() => {});
    console.log(`    FAILED  ${name}\n${error.message}\n    (screenshot out/vscode/person-failed.png)`);
    throw error;
  }
}

const pane = (title) => page.locator('.pane', { has: page.locator('.pane-header', { hasText: title }) });
async function setPane(title, open) {
  const header = pane(title).locator('.pane-header').first();
  await header.waitFor({ timeout: patience });
  if ((await header.getAttribute('aria-expanded')) !== String(open)) await header.click();
}
const row = (title, text) => pane(title).locator('.monaco-list-row', { hasText: text }).first();

try {
  await does('opens nested-hello.asm from the explorer', async () => {
    await page.goto(folderUrl(server.port, examples));
    await page.locator('.monaco-workbench').waitFor({ timeout: 60_000 });
    await page.getByRole('treeitem', { name: 'nested-hello', exact: true }).click({ timeout: 30_000 });
    await page.getByRole('treeitem', { name: 'nested-hello.asm' }).dblclick({ timeout: patience });
    await page.locator('.view-lines').getByText('hypervisor').first().waitFor({ timeout: patience });
  });

  await does('presses F5 and stands before the first instruction', async () => {
    const frame = page.locator('.debug-call-stack .monaco-list-row', { hasText: /^L1 / }).first();
    await page.keyboard.press('Control+Shift+D');
    await page.locator('.part.sidebar').getByText('Run and Debug').first().waitFor({ timeout: patience });
    // F5 does nothing until the debug contributions have loaded.
    let attempt = 0;
    for (; !(await frame.isVisible()); attempt++) {
      if (attempt === 12) throw new Error('no frame after twelve times F5');
      await page.keyboard.press('F5');
      await frame.waitFor({ timeout: 5000 }).catch(() => {});
    }
    // A machine slow enough is asked twice.
    const again = page.locator('.monaco-dialog-box', { hasText: 'already running' });
    if (attempt > 1) await again.waitFor({ timeout: 3000 }).catch(() => {});
    if (await again.isVisible()) await again.getByRole('button', { name: 'Cancel' }).click();
    await shot('person-entry');
  });

  await does('makes the side bar wider', async () => {
    const sash = page.locator('.split-view-container > .sash, .monaco-sash.vertical').filter({ visible: true });
    const side = await page.locator('.part.sidebar').boundingBox();
    await page.mouse.move(side.x + side.width, 500);
    await page.mouse.down();
    await page.mouse.move(side.x + 520, 500, { steps: 8 });
    await page.mouse.up();
    await page.mouse.move(1000, 400);
    if ((await page.locator('.part.sidebar').boundingBox()).width < 480)
      throw new Error(`the side bar did not move (${await sash.count()} sashes)`);
  });

  await does('ticks "VM exit" and gives it the condition reason == EPT_VIOLATION', async () => {
    await setPane('Watch', false);
    await setPane('Breakpoints', true);
    const filter = row('Breakpoints', 'VM exit');
    await filter.waitFor({ timeout: patience });
    await filter.hover();
    await filter.locator('.monaco-custom-toggle, input[type=checkbox]').first().click();
    await filter.hover();
    await filter.locator('.action-label[aria-label*="Condition"]').first().click();
    const input = pane('Breakpoints').locator('input').last();
    await input.fill('reason == EPT_VIOLATION');
    await input.press('Enter');
    await row('Breakpoints', 'EPT_VIOLATION').waitFor({ timeout: patience });
  });

  await does('goes on with F5 and stands on the EPT violation, L2 above L1 in the call stack', async () => {
    await page.keyboard.press('F5');
    const stack = page.locator('.debug-call-stack .monaco-list-row');
    await stack.filter({ hasText: /^L2 / }).first().waitFor({ timeout: patience });
    await stack.filter({ hasText: /^L1 / }).first().waitFor({ timeout: patience });
    await page.locator('.exception-widget').filter({ hasText: 'EPT' }).waitFor({ timeout: patience });
    await page.locator('.view-line', { hasText: 'mov [rdi], rbx' }).first().waitFor({ timeout: patience });
  });

  await does('opens Control Structures and reads the VMCS', async () => {
    await setPane('Breakpoints', false);
    await setPane('Control Structures', true);
    await pane('Control Structures').locator('.monaco-list-row').first().waitFor({ timeout: patience });
    // The border between the call stack and what is below it goes up.
    const border = await pane('Breakpoints').locator('.pane-header').first().boundingBox();
    const stack = await pane('Call Stack').locator('.pane-header').first().boundingBox();
    await page.mouse.move(border.x + 200, border.y - 1);
    await page.mouse.down();
    await page.mouse.move(border.x + 200, stack.y + 110, { steps: 8 });
    await page.mouse.up();
    await row('Control Structures', /^VM-exit information/).click();
    await row('Control Structures', /^Basic VM-exit information/).click();
    await row('Control Structures', /^GUEST_PHYSICAL_ADDRESS/i).waitFor({ timeout: patience });
    await row('Control Structures', /^VM-exit information/).scrollIntoViewIfNeeded();
    await page.mouse.move(1000, 20);
    await page.waitForTimeout(500);
    await shot('nested-hello');
  });

  await does('hovers over a symbol and reads GVA → GPA → HPA', async () => {
    const line = page.locator('.view-line', { hasText: /^guest_touch:/ }).first();
    const box = await line.boundingBox();
    await page.mouse.move(box.x + 30, box.y + box.height / 2);
    const hover = page.locator('.debug-hover-widget, .monaco-hover').filter({ hasText: 'HPA' }).first();
    await hover.waitFor({ timeout: patience });
    await shot('hover');
  });

  const command = async (title) => {
    await page.keyboard.press('F1');
    await page.locator('.quick-input-widget input').first().fill(`>Nestscope: ${title}`);
    await page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click({ timeout: patience });
  };
  const webview = (title) => page.frameLocator('iframe.webview.ready').last().frameLocator(`iframe[title="${title}"], iframe#active-frame`);

  const theme = async () => {
    const workbench = page.locator('.monaco-workbench');
    const dark = (await workbench.getAttribute('class')).includes('vs-dark');
    await page.keyboard.press('F1');
    await page.locator('.quick-input-widget input').first().fill('>Toggle between Light/Dark Themes');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Toggle between Light/Dark' }).first().click({ timeout: patience });
    await page.locator(`.monaco-workbench.${dark ? 'vs' : 'vs-dark'}:not(.${dark ? 'vs-dark' : 'vs'})`).waitFor({ timeout: patience });
    await page.waitForTimeout(700);
  };
  /** A picture in the dark theme and one in the light theme. */
  const bothThemes = async (name) => {
    await shot(name);
    await theme();
    await shot(`${name}-light`);
    await theme();
  };

  await does('draws the translation of the address that L2 could not reach', async () => {
    await page.mouse.move(1000, 20);
    await command('Translate Address');
    const input = page.locator('.quick-input-widget input').first();
    await input.fill('rdi');
    await input.press('Enter');
    await webview('Translation').getByText('rdi, L2').waitFor({ timeout: patience });
    await webview('Translation').getByText('The walk stops here: entry not present').waitFor({ timeout: patience });
    const boxes = webview('Translation').locator('.step');
    const width = await webview('Translation')
      .locator('body')
      .evaluate(() => document.documentElement.clientWidth);
    const ends = await boxes.evaluateAll((all) => all.map((box) => box.getBoundingClientRect().right));
    if (ends.some((end) => end > width)) throw new Error(`boxes end at ${ends.join(', ')}, the picture at ${width}`);
    await boxes.first().focus();
    await page.keyboard.press('Tab');
    const focused = await webview('Translation').locator('.step:focus').getAttribute('aria-label');
    if (!/entry/.test(focused)) throw new Error(`Tab leads to ${focused}`);
    await bothThemes('translation');
    await page.keyboard.press('Control+F4');
  });

  await does('opens memory at a host-physical address, changes a byte with two keys, and finds it at the guest-virtual one', async () => {
    await command('Memory');
    const input = page.locator('.quick-input-widget input').first();
    await input.fill('hpa:0xa10000');
    await input.press('Enter');
    const view = webview('Memory');
    const byte = view.locator('[data-offset="5"]');
    await byte.waitFor({ timeout: patience });
    await byte.click();
    await page.keyboard.type('a5');
    await view.locator('select').selectOption('l2:gva');
    await view.getByLabel('Address or expression').fill('guest_entry');
    await view.getByRole('button', { name: 'Go' }).click();
    await view.locator('th', { hasText: '0000000040010000' }).waitFor({ timeout: patience });
    await view.locator('[data-offset="5"]', { hasText: 'a5' }).waitFor({ timeout: patience });
    await bothThemes('memory');
  });

  await does('opens Interrupts and Devices: the local APIC by vector, what is pending, the timers', async () => {
    await page.keyboard.press('Control+Shift+D');
    for (const title of ['Control Structures', 'Variables', 'Call Stack']) await setPane(title, false);
    await setPane('Interrupts', true);
    await row('Interrupts', /^Local APIC/).click();
    await row('Interrupts', /^IRR/).waitFor({ timeout: patience });
    await page.mouse.move(1000, 20);
    await page.waitForTimeout(500);
    await shot('interrupts');
    await setPane('Interrupts', false);
    await setPane('Devices', true);
    await row('Devices', /8254/).click();
    await row('Devices', /^Channel 0|^Counter 0/).waitFor({ timeout: patience });
    await page.mouse.move(1000, 20);
    await page.waitForTimeout(500);
    await bothThemes('devices');
    await setPane('Devices', false);
    await setPane('Call Stack', true);
  });

  await does('goes on to the end and reads what the guest printed', async () => {
    await page.mouse.move(10, 10);
    await page.keyboard.press('F5');
    await page.getByText('nested-hello: good').first().waitFor({ timeout: patience });
    await shot('person-end');
  });

  if (process.env.UPDATE) {
    mkdirSync(join(root, 'docs/images'), { recursive: true });
    copyFileSync(join(out, 'nested-hello.png'), join(root, 'docs/images/nested-hello.png'));
  }
} catch {
  process.exitCode = 1;
} finally {
  console.log(`counts ${JSON.stringify(counts)}`);
  await browser.close();
  await server.stop();
}
