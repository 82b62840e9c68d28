<?xml version="1.0" encoding="UTF-8"?>
<!-- A CDA for people: header, narrative, pictures. Self-contained: no script, nothing is fetched, links are http(s) only.
     Entries are not shown: the narrative is the attested content (PS3.20 C.4.2). Texts are isolated (bdi): a text that
     turns the line around turns nothing but itself. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:c="urn:hl7-org:v3"
    xmlns:ps3-20="urn:dicom-org:ps3-20" exclude-result-prefixes="c ps3-20">
  <xsl:output method="html" encoding="UTF-8" indent="no" doctype-system="about:legacy-compat"/>
  <xsl:param name="style"/>

  <xsl:template match="/c:ClinicalDocument">
    <html lang="{c:languageCode/@code}">
      <head>
        <meta http-equiv="Content-Security-Policy"
            content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <title><xsl:value-of select="c:title"/></title>
        <style><xsl:value-of select="$style"/></style>
      </head>
      <body>
        <header>
          <h1><bdi><xsl:value-of select="c:title"/></bdi></h1>
          <table class="facts">
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Patient</xsl:with-param>
              <xsl:with-param name="nodes" select="c:recordTarget/c:patientRole/c:patient/c:name"/>
            </xsl:call-template>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Patient ID</xsl:with-param>
              <xsl:with-param name="nodes" select="c:recordTarget/c:patientRole/c:id/@extension"/>
            </xsl:call-template>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Born</xsl:with-param>
              <xsl:with-param name="nodes" select="c:recordTarget/c:patientRole/c:patient/c:birthTime/@value"/>
            </xsl:call-template>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Sex</xsl:with-param>
              <xsl:with-param name="nodes"
                  select="c:recordTarget/c:patientRole/c:patient/c:administrativeGenderCode/@code"/>
            </xsl:call-template>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Study</xsl:with-param>
              <xsl:with-param name="nodes" select="c:documentationOf/c:serviceEvent/c:effectiveTime/c:low/@value"/>
            </xsl:call-template>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Accession</xsl:with-param>
              <xsl:with-param name="nodes" select="c:inFulfillmentOf/c:order/ps3-20:accessionNumber/@extension"/>
            </xsl:call-template>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Referred by</xsl:with-param>
              <xsl:with-param name="nodes" select="c:participant[@typeCode='REF']//c:associatedPerson/c:name"/>
            </xsl:call-template>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Reported</xsl:with-param>
              <xsl:with-param name="nodes" select="c:effectiveTime/@value | c:author//c:assignedPerson/c:name"/>
            </xsl:call-template>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Signed</xsl:with-param>
              <xsl:with-param name="nodes"
                  select="c:legalAuthenticator/c:time/@value | c:legalAuthenticator//c:assignedPerson/c:name"/>
            </xsl:call-template>
            <xsl:if test="not(c:legalAuthenticator)">
              <tr><th>Signed</th><td class="missing">not verified</td></tr>
            </xsl:if>
            <xsl:call-template name="fact">
              <xsl:with-param name="name">Kept by</xsl:with-param>
              <xsl:with-param name="nodes" select="c:custodian//c:representedCustodianOrganization/c:name"/>
            </xsl:call-template>
          </table>
        </header>
        <main><xsl:apply-templates select="c:component/c:structuredBody/c:component/c:section"/></main>
        <footer>
          <bdi>
            <xsl:value-of select="c:id/@root"/>
            <xsl:if test="c:id/@extension">^<xsl:value-of select="c:id/@extension"/></xsl:if>
          </bdi>
          <xsl:if test="c:versionNumber"> · version <xsl:value-of select="c:versionNumber/@value"/></xsl:if>
        </footer>
      </body>
    </html>
  </xsl:template>

  <!-- A line of the header; none where nothing is known. -->
  <xsl:template name="fact">
    <xsl:param name="name"/>
    <xsl:param name="nodes"/>
    <xsl:if test="$nodes[not(self::*) or not(@nullFlavor)]">
      <tr>
        <th><xsl:value-of select="$name"/></th>
        <td>
          <xsl:for-each select="$nodes[not(self::*) or not(@nullFlavor)]">
            <xsl:if test="position() &gt; 1"><xsl:text>, </xsl:text></xsl:if>
            <bdi><xsl:apply-templates select="." mode="fact"/></bdi>
          </xsl:for-each>
        </td>
      </tr>
    </xsl:if>
  </xsl:template>

  <xsl:template match="c:name" mode="fact">
    <xsl:choose>
      <xsl:when test="*">
        <xsl:for-each select="c:prefix | c:given | c:family | c:suffix">
          <xsl:if test="position() &gt; 1"><xsl:text> </xsl:text></xsl:if>
          <xsl:value-of select="."/>
        </xsl:for-each>
      </xsl:when>
      <xsl:otherwise><xsl:value-of select="."/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="@extension | @code" mode="fact"><xsl:value-of select="."/></xsl:template>

  <!-- 20060823224352.5+0100 -> 2006-08-23 22:43 -->
  <xsl:template match="@value" mode="fact">
    <xsl:value-of select="substring(., 1, 4)"/>
    <xsl:if test="string-length(.) &gt;= 6">-<xsl:value-of select="substring(., 5, 2)"/></xsl:if>
    <xsl:if test="string-length(.) &gt;= 8">-<xsl:value-of select="substring(., 7, 2)"/></xsl:if>
    <xsl:if test="string-length(.) &gt;= 12">
      <xsl:value-of select="concat(' ', substring(., 9, 2), ':', substring(., 11, 2))"/>
    </xsl:if>
  </xsl:template>

  <xsl:template match="c:section">
    <section>
      <xsl:if test="@ID"><xsl:attribute name="id"><xsl:value-of select="@ID"/></xsl:attribute></xsl:if>
      <h2><bdi><xsl:value-of select="c:title"/></bdi></h2>
      <xsl:if test="c:subject">
        <p class="subject"><bdi><xsl:value-of select="c:subject//c:name"/></bdi></p>
      </xsl:if>
      <div class="text"><xsl:apply-templates select="c:text/node()"/></div>
      <xsl:apply-templates select="c:component/c:section"/>
    </section>
  </xsl:template>

  <!-- The narrative block: what is not named here is shown as its text. -->
  <xsl:template name="id">
    <xsl:if test="@ID"><xsl:attribute name="id"><xsl:value-of select="@ID"/></xsl:attribute></xsl:if>
  </xsl:template>
  <xsl:template match="c:paragraph">
    <div class="p"><xsl:call-template name="id"/><xsl:apply-templates/></div>
  </xsl:template>
  <xsl:template match="c:caption"><span class="caption"><bdi><xsl:apply-templates/></bdi></span></xsl:template>
  <xsl:template match="c:content">
    <bdi>
      <xsl:call-template name="id"/>
      <xsl:if test="contains(concat(' ', @styleCode, ' '), ' Bold ')">
        <xsl:attribute name="class">bold</xsl:attribute>
      </xsl:if>
      <xsl:if test="@language"><xsl:attribute name="lang"><xsl:value-of select="@language"/></xsl:attribute></xsl:if>
      <xsl:apply-templates/>
    </bdi>
  </xsl:template>
  <xsl:template match="c:list[@listType='ordered']">
    <xsl:apply-templates select="c:caption"/><ol><xsl:apply-templates select="c:item"/></ol>
  </xsl:template>
  <xsl:template match="c:list"><xsl:apply-templates select="c:caption"/><ul><xsl:apply-templates select="c:item"/></ul></xsl:template>
  <xsl:template match="c:item"><li><xsl:call-template name="id"/><xsl:apply-templates/></li></xsl:template>
  <xsl:template match="c:table">
    <table><xsl:call-template name="id"/><xsl:apply-templates select=".//c:tr"/></table>
  </xsl:template>
  <xsl:template match="c:tr"><tr><xsl:call-template name="id"/><xsl:apply-templates select="c:th | c:td"/></tr></xsl:template>
  <xsl:template match="c:th"><th><xsl:apply-templates/></th></xsl:template>
  <xsl:template match="c:td"><td><xsl:apply-templates/></td></xsl:template>
  <xsl:template match="c:br"><br/></xsl:template>
  <xsl:template match="c:sub"><sub><xsl:apply-templates/></sub></xsl:template>
  <xsl:template match="c:sup"><sup><xsl:apply-templates/></sup></xsl:template>
  <xsl:template match="c:linkHtml">
    <xsl:choose>
      <xsl:when test="starts-with(@href, 'https://') or starts-with(@href, 'http://') or starts-with(@href, '#')">
        <a href="{@href}" rel="noreferrer noopener"><xsl:apply-templates/></a>
      </xsl:when>
      <xsl:otherwise><xsl:apply-templates/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
  <xsl:template match="c:renderMultiMedia">
    <xsl:variable name="picture" select="//c:observationMedia[@ID = current()/@referencedObject]/c:value"/>
    <xsl:if test="$picture/@mediaType = 'image/jpeg' or $picture/@mediaType = 'image/png'">
      <figure>
        <img src="data:{$picture/@mediaType};base64,{translate(normalize-space($picture), ' ', '')}" alt=""/>
      </figure>
    </xsl:if>
    <xsl:apply-templates/>
  </xsl:template>
</xsl:stylesheet>
