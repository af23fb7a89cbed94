// Widgets' modules and fonts come from this site: AMD names are looked up under _static/vendor/.
(function () {
  const me = document.currentScript.src.split("?")[0];
  require.config({ baseUrl: me.slice(0, me.lastIndexOf("/") + 1) + "vendor/" });
})();
