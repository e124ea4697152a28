/*
 * theme.js - light, dark, or as the device is. Runs before the page is drawn, so that nothing flashes.
 *
 * The dark colours are a stylesheet of their own; its media query is what is changed. A classic script:
 * the browser waits for it, which it does not do for a module.
 */
(function () {
  'use strict';
  var media = { light: 'not all', dark: 'all', auto: '(prefers-color-scheme: dark)' };

  function remembered() {
    try {
      var theme = localStorage.getItem('hearth.theme');
      return Object.hasOwn(media, theme) ? theme : 'auto';
    } catch {
      return 'auto'; // storage is forbidden
    }
  }

  function apply(theme) {
    document.getElementById('dark').media = media[theme];
    document.documentElement.dataset.theme = theme;
  }

  function choose(theme) {
    try {
      localStorage.setItem('hearth.theme', theme);
    } catch {
      // It holds until the page is left.
    }
    apply(theme);
  }

  apply(remembered());
  window.hearthTheme = { remembered: remembered, choose: choose };
})();
